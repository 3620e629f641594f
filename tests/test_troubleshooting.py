import io
from pathlib import Path

import pytest

from py_aws_oidc.explain.causes import CAUSES
from sandbox import troubleshooting

PAGE = Path(__file__).parent.parent / "docs" / "troubleshooting.md"


def test_the_page_says_what_the_table_says_now():
    out = io.StringIO()
    troubleshooting.main(out)

    assert PAGE.read_text() == out.getvalue(), "run `make docs`"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_each_cause_has_its_place_under_its_symptom(cause):
    _, _, below = PAGE.read_text().partition(f"\n## {cause.symptom.title}\n")
    section, _, _ = below.partition("\n## ")

    assert section.count(f"\n### {cause.title.split('$')[0]}") == 1
