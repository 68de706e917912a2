"""Jupyter's own kernel tests (jupyter_kernel_test, from PyPI) with samples of TypeScript.

jupyter-kernel-test.test.ts runs it against a kernelspec in a temporary data folder:
JUPYTER_PATH=<data folder> python -m unittest -v jupyter_kernel_suite
"""

import jupyter_kernel_test

GLOBAL = "(globalThis as unknown as Record<symbol, (value: object) => void>)"


class KernelTests(jupyter_kernel_test.KernelTests):
    """The twelve tests of a kernel's messages."""

    kernel_name = "fledge"
    language_name = "typescript"
    file_extension = ".ts"

    code_hello_world = 'console.log("hello, world");'
    code_stderr = 'console.error("oops");'
    code_generate_error = 'throw new RangeError("too far");'
    code_page_something = "?Math.floor"
    code_inspect_sample = "Math.floor"
    code_clear_output = f'{GLOBAL}[Symbol.for("fledge.clearOutput")]!({{ wait: true }});'

    completion_samples = [
        {"text": "Math.flo", "matches": ["floor"]},
        {"text": "[1, 2].reduceR", "matches": ["reduceRight"]},
        {"text": "'text'.padS", "matches": ["padStart"]},
    ]

    complete_code_samples = ["const a: number = 1;", "await fetch('x')", "interface Point { x: number }", ""]
    incomplete_code_samples = ["function area(", "for (const a of b) {", "const text = `abc", "/* open"]
    invalid_code_samples = ["const a = = 1;", "const text = 'open", "1 +* 2"]

    code_execute_result = [
        {"code": "20 + 1", "result": "21"},
        {"code": "const half = (n: number): number => n / 2; half(9)", "result": "4.5"},
        {"code": "await Promise.resolve([1, 2].map(String))", "result": "[ '1', '2' ]"},
        {"code": '({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<b>bold</b>" }) })', "mime": "text/html"},
    ]
    code_display_data = [
        {"code": f'{GLOBAL}[Symbol.for("fledge.display")]!({{ "{mime}": "{data}" }});', "mime": mime}
        for mime, data in [("text/html", "<b>bold</b>"), ("image/svg+xml", "<svg/>")]
    ]

    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "20 +*"


class WelcomeTests(jupyter_kernel_test.IopubWelcomeTests):
    """The one test of the message that greets a subscriber (JEP 65)."""

    kernel_name = "fledge"
    support_iopub_welcome = True
