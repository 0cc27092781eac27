"""The reader of pages can tell right from wrong: otherwise the tests of the pages mean nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fences import Shell, commands, fences, matches

PAGE = """# Title

```python title="churn/new.py"
x = 1
```

- a list

    ```console
    $ echo one \\
        two
    one two
    $ false
    $ echo $?
    1
    ```
"""


def test_blocks_titles_and_lines() -> None:
    first, second = fences(PAGE)
    assert (first.language, first.title, first.body, first.line) == ("python", "churn/new.py", "x = 1\n", 4)
    assert (second.language, second.title, second.line) == ("console", "", 10)
    assert [one.text for one in commands(second)] == ["echo one \\\n    two", "false", "echo $?"]
    assert [one.shown for one in commands(second)] == [["one two"], [], ["1"]]


@pytest.mark.parametrize(
    ("shown", "printed", "equal"),
    [
        (["fit  succeeded  1.2s"], "fit   succeeded   37 ms\n", True),
        (["fit  succeeded  1.2s"], "fit   failed   1.2s\n", False),
        (["auc 0.91"], "auc 0.8\n", True),
        (["12 trials"], "11 trials\n", False),
        (["first", "...", "last"], "first\nsecond\nthird\nlast\n", True),
        (["first", "...", "last"], "first\nsecond\n", False),
        (["at http://127.0.0.1:8000/x"], "at http://127.0.0.1:21729/x\n", True),
        (["a", "b"], "a\n\nb\n", True),
        (["a"], "a\nb\n", False),
        ([], "anything\n", True),
        (["a (b) ... d"], "a (b) c d\n", True),
        (["a (b) ... d"], "a (b) d\n", True),
        (["a (b) ... d"], "a b c d\n", False),
    ],
)
def test_comparison(shown: list[str], printed: str, equal: bool) -> None:
    assert matches(shown, printed) is equal


def test_a_session_keeps_its_folder_variables_and_exit_code(tmp_path: Path) -> None:
    shell = Shell(tmp_path, dict(os.environ))
    assert shell.run("mkdir 'a b' && cd 'a b' && echo here") == (0, "here\n")
    assert shell.folder.name == "a b"
    assert shell.run("false")[0] == 1
    assert shell.run("echo $?") == (0, "1\n")
    shell.run("export ONE='a b'")
    assert shell.run('echo "$ONE"') == (0, "a b\n"), "variables live on"
