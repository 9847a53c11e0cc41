"""What is kept of compiled kernels: never an old answer, never a crash, whatever became of the files.

Each case is a process of its own, as a user's is, with a kernel in a file of its own; the answers are worked out by hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import classifier
from classifier.kernels import jit

ROOT = Path(classifier.__file__).resolve().parents[1]
SOURCE = """
import sys
import numpy as np
from classifier.kernels.jit import helper, kernel

@helper
def scaled(array, place, factor):
    return array[place] * factor

@kernel
def measure(array, place, factor, big):
    if big:
        return scaled(array, place, factor), np.uint64(1) << np.uint64(63), big
    return scaled(array, place, 1), np.uint64(0), big

if __name__ == "__main__":
    print(measure(np.arange(5), int(sys.argv[1]), -2, True))
    print("compiled" if "numba" in sys.modules else "loaded")
"""
ANSWER = f"(-6, {2**63}, True)"


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "measure.py"
    path.write_text(SOURCE)
    return path


def start(script, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    cache = {"FREEFLOW_CACHE_DIR": str(script.parent / "cache"), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, script, environment.pop("place", "3")],
        cwd=environment.pop("cwd", None),
        env=inherited | cache | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(script, **environment):
    process = start(script, **environment)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-2000:]
    return output.splitlines()


def kept(script):
    return list((script.parent / "cache").rglob("*.kernel"))


def test_what_was_compiled_is_loaded_without_numba(script):
    assert answer(script) == [ANSWER, "compiled"]
    assert answer(script) == [ANSWER, "loaded"]


def test_an_edited_kernel_is_compiled_anew(script):
    answer(script)
    script.write_text(SOURCE.replace("array[place] * factor", "array[place] * factor + 1"))
    assert answer(script) == [ANSWER.replace("-6", "-5"), "compiled"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda octets: b"",
        lambda octets: octets[:20],
        lambda octets: octets[:-1],
        lambda octets: octets[:-100] + bytes(100),
        lambda octets: octets[:40] + b"\xff" + octets[41:],
    ],
    ids=["empty", "cut in its digest", "cut at its end", "zeros at its end", "one octet"],
)
def test_a_damaged_file_is_made_anew(script, damage):
    answer(script)
    (path,) = kept(script)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert path.read_bytes() != whole
    assert answer(script) == [ANSWER, "compiled"]
    assert answer(script) == [ANSWER, "loaded"]


def test_another_kernels_file_under_this_name_is_not_taken(script):
    answer(script)
    (path,) = kept(script)
    script.write_text(SOURCE.replace("array[place] * factor", "array[place] * factor + 1"))
    answer(script)
    (other,) = set(kept(script)) - {path}
    other.write_bytes(path.read_bytes())
    assert answer(script) == [ANSWER.replace("-6", "-5"), "compiled"]


def test_a_folder_that_cannot_be_written_costs_only_time(script):
    (script.parent / "cache").write_text("a file where the folder should be")
    assert answer(script) == [ANSWER, "compiled"]
    assert answer(script) == [ANSWER, "compiled"]


def test_a_cache_whose_folder_became_a_file_costs_only_time(script):
    answer(script)
    (path,) = kept(script)
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("")
    assert answer(script) == [ANSWER, "compiled"]


def test_two_processes_may_compile_at_once(script):
    both = [start(script), start(script)]
    assert [process.communicate(timeout=300)[0].splitlines()[0] for process in both] == [ANSWER, ANSWER]
    assert [path.suffix for path in (script.parent / "cache").rglob("*") if path.is_file()] == [".kernel"]
    assert answer(script) == [ANSWER, "loaded"]


def test_a_bounds_checked_run_takes_no_unchecked_code(script):
    answer(script)
    assert answer(script, NUMBA_BOUNDSCHECK="1") == [ANSWER, "compiled"]
    for _ in range(2):  # compiled, and from disk
        process = start(script, NUMBA_BOUNDSCHECK="1", place="5")
        assert process.communicate(timeout=300)[1].splitlines()[-1].startswith("IndexError")
        assert process.returncode == 1


def test_interpreted_nothing_is_compiled_or_kept(script):
    assert answer(script, NUMBA_DISABLE_JIT="1") == ["(np.int64(-6), np.uint64(9223372036854775808), True)", "loaded"]
    assert not kept(script)


APART = """
from typing import NamedTuple
import numpy as np
from classifier.kernels.jit import apart, helper, kernel
from classifier.kernels.parts import TABLES, WORD

class Tables(NamedTuple):
    counts: np.ndarray

@helper
def scaled(array, place, factor):
    return array[place] * factor

@apart(TABLES, WORD, WORD)
def add(tables, place, amount):
    tables.counts[place] += scaled(tables.counts, place, amount)

@kernel
def count(tables, place, amount):
    for _ in range(2):
        add(tables, place, amount)
    return scaled(tables.counts, place, 1)
"""
RUNNER = """
import os
import sys
import numpy as np
from classifier.kernels import jit
from classifier.kernels.bundle import Bundle
from counting import Tables, count

{change}
if {processors} == 1:
    os.sched_getaffinity = lambda _: {{0}}
if {is_first}:
    from classifier.kernels import compiling
    made_here = compiling.compile_apart
    compiling.compile_apart = lambda *arguments: print("here") or made_here(*arguments)
tables = Bundle(Tables(np.array([3, 5])))
jit.expect(tables.kind)
print(count(tables, 1, 2), "numba" in sys.modules)
"""


@pytest.mark.parametrize(
    ("processors", "change", "expected"),
    [
        (2, "", ["45 True"]),
        (1, "", ["here", "45 True"]),
        (2, "sys.executable = '/nowhere'", ["here", "45 True"]),
        (2, "sys.executable = '/bin/false'", ["here", "45 True"]),
        (2, "os.environ['NUMBA_OPT'] = '2'", ["here", "45 True"]),
    ],
    ids=["beside", "one processor", "no process", "a process that fails", "a process of other flags"],
)
def test_what_is_apart_is_compiled_beside_or_else_here(script, processors, change, expected):
    (script.parent / "counting.py").write_text(APART)
    script.write_text(RUNNER.format(processors=processors, change=change, is_first=True))
    path = os.pathsep.join([str(ROOT), str(script.parent)])
    assert answer(script, PYTHONPATH=path) == expected
    script.write_text(RUNNER.format(processors=processors, change="", is_first=False))
    assert answer(script, PYTHONPATH=path) == ["45 False"]


def test_what_lies_in_the_working_directory_is_not_run(script):
    here = script.parent / "here"
    (here / "classifier").mkdir(parents=True)
    (here / "classifier" / "__init__.py").write_text(f"open({str(here / 'was_run')!r}, 'w')")
    (script.parent / "counting.py").write_text(APART)
    script.write_text(RUNNER.format(processors=2, change="", is_first=True))
    path = os.pathsep.join([str(ROOT), str(script.parent)])
    assert answer(script, PYTHONPATH=path, cwd=here) == ["45 True"]
    assert not (here / "was_run").exists()


SHORTCUTS = """
import sys
import numpy as np

if sys.argv[1] == "without":
    from classifier.kernels import shortcuts
    shortcuts.take = lambda: None
from classifier.kernels.pcap_index import index_pcap
from classifier.records import FRAME

octets = np.zeros(64, np.uint8)
octets.flags.writeable = False
print(index_pcap(octets, 0, 64, False, 1, 0, 1, np.zeros(9, FRAME).view(np.recarray)))
print(sys.modules["numba.core.types"].Function.get_call_type.__module__)
"""


def test_the_shortcuts_through_numba_change_nothing_in_the_code(script):
    script.write_text(SHORTCUTS)
    codes = {}
    for which, told in (("without", "numba.core.types.functions"), ("with", "classifier.kernels.shortcuts")):
        assert answer(script, place=which) == ["(4, 64, 1)", told]
        (path,) = kept(script)
        codes[which] = path.read_bytes()
        path.unlink()
    assert codes["with"] == codes["without"]


def test_indices_from_the_end_are_found_where_bounds_are_checked(script):
    """Compiled without the check they are not understood: no kernel may have one."""
    process = start(script, NUMBA_BOUNDSCHECK="1", place="-1")
    assert process.communicate(timeout=300)[1].splitlines()[-1].startswith("IndexError")
    assert process.returncode == 1


@jit.kernel
def _length(array):
    return array.shape[0]


@jit.kernel
def _weighed(array, weight, negative):
    total = array.shape[0] * weight + array[0]
    return -total if negative else total


def test_a_call_with_arrays_that_are_gone_is_never_taken_for_one_with_those_that_lie_there_now():
    lying = set()
    for length in [*range(1, 200), *range(200, 1, -1)] * 3:
        array = np.full(length, 7)
        lying.add(id(array))
        for weight in (3, -2, np.int64(5)):
            for negative in (False, True, np.True_):
                expected = (length * int(weight) + 7) * (-1 if negative else 1)
                assert _weighed(array, weight, negative) == expected
        del array
    assert len(lying) < 100  # the same places again and again


@pytest.mark.parametrize("argument", [np.arange(8)[::2], np.zeros((2, 2, 2)), 1.5, "text"])
def test_what_a_kernel_cannot_take_is_refused(argument):
    with pytest.raises((TypeError, ValueError), match="a kernel takes"):
        _length(argument)
