# JupyterLab, the TypeScript kernel and TensorFlow, as `npm run lab` sets them up.
#   docker build -t fledge .
#   docker run --rm -p 127.0.0.1:8888:8888 -v fledge-output:/fledge/notebooks/output fledge
# Then open the address with ?token= that it prints. What you train lies in the volume fledge-output.
FROM node:22-bookworm-slim

# Debian keeps only the newest version of a package, so a pinned one would not build next month.
# hadolint ignore=DL3008
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 python3-venv \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /fledge
RUN chown node:node /fledge
USER node
COPY --chown=node:node . .
RUN npm run setup && mkdir -p notebooks/output

EXPOSE 8888
CMD ["npm", "run", "lab", "--", "--ip=0.0.0.0", "--no-browser"]
