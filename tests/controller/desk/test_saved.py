"""Views that people keep."""

import contextlib
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lampione.desk import saved
from lampione.desk.saved import SavedError, SavedView


def test_views_are_kept_shown_and_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "config" / "views.json"
    assert saved.load(path) == {}
    view = SavedView("viale !online", "laeq", True, True, ("node", "laeq", "health.rssi"))
    saved.save(path, "night", view)
    saved.save(path, "all", SavedView())
    assert saved.load(path) == {"all": SavedView(), "night": view}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text('{"all": {"words": "off", "sort": "laeq"}, "night": {"columns": ["node"]}}')
    assert saved.load(path)["all"] == SavedView("off", "laeq")  # as earlier versions kept it
    saved.remove(path, "all")
    with pytest.raises(SavedError, match="night"):
        saved.remove(path, "all")
    with pytest.raises(SavedError):
        saved.save(path, "../evil", view)


@given(
    st.dictionaries(
        st.text(max_size=4),
        st.none() | st.integers() | st.dictionaries(st.sampled_from(SavedView._fields), st.text()),
        max_size=3,
    )
    | st.lists(st.integers())
)
def test_a_wrong_file_is_refused(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    path = tmp_path_factory.mktemp("views") / "views.json"
    path.write_text(json.dumps(content))
    views = {}
    with contextlib.suppress(SavedError):
        views = saved.load(path)
    assert all(isinstance(view, SavedView) for view in views.values())
