/**
 * Fledge's whole public surface, grouped by the steps of the course. Nothing is computed here.
 */

// 3 Configure: every knob, where it is set, what a run will do and need.
export { type GatheredSettings, gatherSettings, type SettingSources } from "./config/sources.js";
export { resolveConfig, type TrainingConfig, trainingDefaults } from "./config.js";
// 2 Choose a model and a dataset: names, texts, tokens, what they hold.
export { type Dataset, type Document, type LoadDatasetOptions, loadDataset } from "./data/dataset.js";
export { type Duplicates, findDuplicates, findOverlaps, type NearDuplicate, type Overlap } from "./data/duplicates.js";
export { type EncodeOptions, encodeTexts } from "./data/encode.js";
export { type DataFinding, examineData, type FindingName, type GateInput, withoutDuplicates } from "./data/gate.js";
export { type DatasetTotals, type Inspection, type InspectOptions, inspectDataset } from "./data/inspect.js";
export { type PackedBlocks, packDocuments } from "./data/pack.js";
export { type PackingReport, reportPacking } from "./data/packing-report.js";
export { findPersonalData, type PersonalData } from "./data/personal-data.js";
export { type Split, type SplitOptions, splitDataset } from "./data/split.js";
export { loadTokenizer, type Tokenizer } from "./data/tokenizer.js";
export { saveTokenizer, type TokenizerFile } from "./data/tokenizer-file.js";
export { trainTokenizer } from "./data/train-tokenizer.js";
// 1 Set up: which engine this machine has and why; any function of tensors compiled.
export { chooseEngine, type EngineChoice, type EngineOptions } from "./engine/choose.js";
export {
  type CompiledFunction,
  type CompileOptions,
  compile,
  type InputSpec,
  type StateInit,
  type TensorFunction,
} from "./engine/compile.js";
export type { CompiledStep, Engine, EngineName, StepFunction, TensorSpec, Variables } from "./engine/engine.js";
export { explain, type ProgramCost } from "./engine/explain.js";
export { findTensorFlow } from "./engine/find.js";
export { describeProgram, type Program } from "./engine/program.js";
export type { CompileEvent } from "./engine/watch-compile.js";
export { type Explanation, explainConfig } from "./explain.js";
// 6 Experiment, scale, take it elsewhere.
export type { ExportedFile, ExportOptions } from "./export/exported.js";
export { exportGguf, type GgufDtype } from "./export/gguf.js";
export { exportOnnx } from "./export/onnx.js";
export type { OnnxDtype } from "./export/onnx-weights.js";
export { type Pushed, type PushOptions, type PushPlan, planPush, push } from "./export/push.js";

// 4 Train.
export { type TrainOptions, train } from "./fine-tune.js";
// 5 Evaluate: write, measure, compare.
export type { GeneratedPiece, GeneratedToken } from "./generate/generate.js";
export { longestOverlap, type VerbatimOverlap } from "./generate/memorisation.js";
export type { GenerateOptions } from "./generate/options.js";
export type { SamplingOptions } from "./generate/sampler.js";
export { type SideBySideRow, sideBySide } from "./generate/side-by-side.js";
export { type MeasuredLoss, openModel, type TextModel, type TextToken } from "./generate/text-model.js";
export { HubError, type HubFault } from "./hub/errors.js";
export { type HubSettings, hubSettings } from "./hub/settings.js";
// Exercises of the course.
export { type Checked, check } from "./learn/check.js";
export { type Gpt2Config, parameterCount } from "./model/gpt2-config.js";
export { loadPretrained, type PretrainedModel } from "./model/pretrained.js";
export { isQuick } from "./quick.js";
export { findLearningRate, type RangeTest, type RangeTestOptions } from "./range-test.js";
export { type RunningServer, type ServeOptions, serve } from "./serve/server.js";
export { type SweepOptions, sweep } from "./sweep.js";
export type * from "./train/events.js";
export { estimateMemory, type MemoryEstimate, type MemoryOptions } from "./train/memory.js";
export { readRunLog } from "./train/run-log.js";
export { learningRateAt, type Schedule } from "./train/schedule.js";
export type { SweepGrid, TrialResult } from "./train/sweep.js";
export { blockView } from "./view/block-view.js";
// Views, in a notebook or a terminal.
export { compareRunsFigure, trainingFigure } from "./view/chart.js";
export { type Displayable, type DisplayOptions, display, type MimeBundle, type Shown } from "./view/display.js";
export type { Figure } from "./view/figure.js";
export { formatBytes, formatCount, formatDuration, formatLoss } from "./view/format.js";
export { figureToHtml } from "./view/html.js";
export { type TrainingSummary, type WatchOptions, watch } from "./view/live.js";
export { optimiserFigures } from "./view/optimiser-chart.js";
export { barFigure, histogramFigure, lineFigure } from "./view/plots.js";
export { type ProgressOptions, progress } from "./view/progress-of.js";
export { sweepFigure, sweepTable } from "./view/sweep.js";
export { compareTexts, table } from "./view/table.js";
export { tokenView } from "./view/token-view.js";
export { saveTrainingPlot } from "./view/training-plot.js";
