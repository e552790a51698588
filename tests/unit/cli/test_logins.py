"""`hash-password` and `new-token` print what a config keeps; the secret itself is shown once or never."""

from __future__ import annotations

import yaml
from click.testing import CliRunner

from slo_guard.cli import group
from slo_guard.passwords import PasswordHash, token_digest


def test_a_password_comes_by_standard_input_and_leaves_as_lines_of_the_config():
    """`pass show slo-guard | slo-guard hash-password ada >> users.yaml`."""
    done = CliRunner().invoke(group, ["hash-password", "ada"], input="correct horse\n")

    assert done.exit_code == 0
    (user,) = yaml.safe_load(done.stdout)
    assert user["name"] == "ada"
    assert PasswordHash.parse(user["password_hash"]).matches("correct horse")
    assert "horse" not in done.output


def test_a_password_is_no_argument():
    """Everybody on the machine sees those in the list of processes."""
    assert CliRunner().invoke(group, ["hash-password", "ada", "correct horse"]).exit_code == 2


def test_a_password_that_is_too_short_is_refused():
    """A guard that is guessed in a minute is none."""
    done = CliRunner().invoke(group, ["hash-password", "ada"], input="short\n")

    assert done.exit_code == 2
    assert "8 to 512 characters" in done.stderr


def test_a_token_goes_to_standard_output_alone():
    """`slo-guard new-token ci > token` keeps the token and shows the lines for the config."""
    done = CliRunner().invoke(group, ["new-token", "ci"])

    token = done.stdout.strip()
    (entry,) = yaml.safe_load(done.stderr)
    assert entry == {"name": "ci", "sha256": token_digest(token)}
    assert token not in done.stderr
