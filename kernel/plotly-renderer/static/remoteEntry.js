/**
 * JupyterLab's renderer for Plotly figures, written by hand as a module-federation container: JupyterLab calls
 * `init(sharedScope)`, then `get("./mimeExtension")`. In: application/vnd.plotly.v1+json. Out: a chart that is redrawn in place
 * when the display is updated. Loads Plotly from the file beside it on the first figure; needs no network.
 */
(() => {
  const MIME_TYPE = "application/vnd.plotly.v1+json";
  const HEIGHT = 380; // pixels, when the figure names none
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  let loading;

  const loadPlotly = () => {
    loading ??= new Promise((resolve, reject) => {
      if (window.Plotly) {
        resolve(window.Plotly);
        return;
      }
      // Plotly is a UMD file; an AMD loader on the page would swallow it.
      const { define } = window;
      window.define = undefined;
      const script = document.createElement("script");
      script.src = `${folder}plotly.min.js`;
      script.onload = () => {
        window.define = define;
        resolve(window.Plotly);
      };
      script.onerror = () => {
        window.define = define;
        loading = undefined;
        reject(new Error(`Cannot load ${script.src}.`));
      };
      document.head.append(script);
    });
    return loading;
  };

  const createRendererClass = (Widget) =>
    class FledgePlotly extends Widget {
      constructor() {
        super();
        this.addClass("jp-RenderedFledgePlotly");
      }

      async renderModel(model) {
        const { data = [], layout = {}, config = {}, frames } = model.data[MIME_TYPE];
        const Plotly = await loadPlotly();
        if (this.isDisposed) return;
        const autosize = { autosize: true, height: HEIGHT, ...layout };
        await Plotly.react(this.node, data, autosize, { responsive: true, displaylogo: false, ...config });
        if (frames) await Plotly.addFrames(this.node, frames);
      }

      onAfterShow() {
        this.#fit();
      }

      onResize() {
        this.#fit();
      }

      dispose() {
        if (window.Plotly && !this.isDisposed) window.Plotly.purge(this.node);
        super.dispose();
      }

      #fit() {
        if (window.Plotly && this.isVisible && this.node.data) window.Plotly.Plots.resize(this.node);
      }
    };

  let Renderer;
  const extension = () => ({
    id: "fledge-plotly:factory",
    rank: 0,
    dataType: "json",
    rendererFactory: { safe: true, mimeTypes: [MIME_TYPE], createRenderer: () => new Renderer() },
  });

  window._JUPYTERLAB ??= {};
  window._JUPYTERLAB["fledge-plotly"] = {
    async init(scope) {
      const [widgets] = Object.values(scope["@lumino/widgets"]);
      const { Widget } = (await widgets.get())();
      Renderer = createRendererClass(Widget);
    },
    async get() {
      return () => ({ __esModule: true, default: extension() });
    },
  };
})();
