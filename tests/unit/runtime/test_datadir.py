"""Which data directory is meant, who uses it, and what is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridkeeper_core.errors import GridkeeperError
from gridkeeper_runtime.datadir import (
    RunFile,
    RunningService,
    is_locked,
    locked,
    read_run_file,
    resolve_data_dir,
    write_run_file,
)

RUN = RunFile(
    version="0.1.0",
    started_at="2026-01-02T03:04:05Z",
    supervisor_pid=7,
    nats_url="nats://u:hidden@127.0.0.1:1",
    postgres_url="postgresql://u:hidden@127.0.0.1:2/d",
    services={"ledger": RunningService(pid=8, health_port=9)},
)


def test_the_option_wins_over_the_variable_over_the_users_data_folder() -> None:
    env = {"GRIDKEEPER_DATA_DIR": "/from/variable", "XDG_DATA_HOME": "/xdg"}

    assert resolve_data_dir("/from/option", env) == Path("/from/option")
    assert resolve_data_dir(None, env) == Path("/from/variable")
    assert resolve_data_dir(None, {"XDG_DATA_HOME": "/xdg"}) == Path("/xdg/gridkeeper")
    assert resolve_data_dir(None, {"XDG_DATA_HOME": "relative"}) == Path.home() / ".local/share/gridkeeper"


def test_the_run_file_is_read_back_by_its_owner_only(tmp_path: Path) -> None:
    with locked(tmp_path, "0.1.0"):
        write_run_file(tmp_path, RUN)

        assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600
        assert read_run_file(tmp_path) == RUN


def test_a_run_file_does_not_show_its_passwords() -> None:
    assert "hidden" not in repr(RUN)


def test_a_run_file_whose_writer_is_gone_means_not_running(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    write_run_file(tmp_path, RUN)

    with pytest.raises(GridkeeperError, match="NOT_RUNNING"):
        read_run_file(tmp_path)


def test_no_run_file_means_not_running(tmp_path: Path) -> None:
    with pytest.raises(GridkeeperError, match="NOT_RUNNING"):
        read_run_file(tmp_path / "nowhere")


def test_the_lock_is_held_by_one_and_given_back(tmp_path: Path) -> None:
    assert not is_locked(tmp_path)
    with locked(tmp_path, "0.1.0"):
        assert is_locked(tmp_path)
        with pytest.raises(GridkeeperError, match="DATA_DIR_LOCKED"), locked(tmp_path, "0.1.0"):
            pass
    assert not is_locked(tmp_path)


def test_a_data_dir_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path, "0.10.1"):
        pass

    with pytest.raises(GridkeeperError, match="DATA_DIR_VERSION"), locked(tmp_path, "0.9.5"):
        pass
    with locked(tmp_path, "0.10.0"):
        assert (tmp_path / "version").read_text() == "0.10.0\n"


def test_a_new_data_dir_is_its_owners_alone(tmp_path: Path) -> None:
    with locked(tmp_path / "new" / "data", "0.1.0"):
        assert (tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
