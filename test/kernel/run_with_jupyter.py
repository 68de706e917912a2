"""Runs notebooks in place on an installed kernel, started by Jupyter's own nbclient.

tslab.test.ts calls it: JUPYTER_PATH=<data folder> python run_with_jupyter.py <kernel name> <notebooks...>
"""

import pathlib
import sys

import nbclient
import nbformat

kernel_name, *paths = sys.argv[1:]
for path in map(pathlib.Path, paths):
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        kernel_name=kernel_name,
        timeout=300,
        shutdown_kernel="immediate",  # tslab does not leave when asked
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        client.execute()
    finally:
        nbformat.write(notebook, path)
