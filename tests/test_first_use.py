import subprocess
import sys

import pytest

import dentify.bundle
import dentify.sinks
from dentify.first_use import on_first_use


@pytest.mark.parametrize("package", [dentify, dentify.bundle, dentify.sinks], ids=lambda one: one.__name__)
def test_every_name_of_a_package_is_there_and_stays(package):
    for name in package.__all__:
        assert getattr(package, name) is getattr(package, name)
        assert name in vars(package)


def test_a_name_that_is_not_there_is_told_as_python_does():
    with pytest.raises(AttributeError, match=r"^module 'somewhere' has no attribute 'nothing'$"):
        on_first_use("somewhere", {"thing": "json"})("nothing")


def test_an_answer_on_standard_output_loads_no_page_and_no_drawing():
    code = "import sys; from dentify import sinks; sinks.StreamSink; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert "dentify.sinks.stream" in loaded
    assert not {"dentify.results.page", "dentify.imaging.draw", "dentify.bundle.build", "dentify.languages.german"} & set(loaded)
