"""What a config keeps of passwords and tokens: enough to know them again, not enough to have them."""

from __future__ import annotations

import pytest

from slo_guard.passwords import PasswordHash, checked_digest, new_token, token_digest


def test_a_hash_knows_its_password_and_no_other():
    """Written and read again, as through a config file."""
    stored = PasswordHash.parse(str(PasswordHash.of("correct horse")))

    assert stored.matches("correct horse")
    assert not stored.matches("correct horse ")
    assert not stored.matches("")


def test_a_hash_shows_neither_password_nor_salt():
    """It is printed by debuggers and errors."""
    stored = PasswordHash.of("correct horse")

    assert "horse" not in str(stored)
    assert repr(stored) == "PasswordHash(log2_cost=15, block_size=8, parallel=3)"
    assert str(stored) != str(PasswordHash.of("correct horse"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hunter2", "hash-password"),
        ("$2b$12$abcdefghijklmnopqrstuv", "not a password hash such as"),
        ("$scrypt$ln=4,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg", "too cheap"),
        ("$scrypt$ln=30,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg", "more memory or time"),
        ("$scrypt$ln=15,r=8,p=99$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg", "more memory or time"),
        ("$scrypt$ln=15,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZ$MDEyMzQ1Njc4OWFiY2RlZgabc", "cut or changed"),
    ],
)
def test_what_is_no_usable_hash_is_said_without_repeating_it(text, why):
    """Whoever wrote the password itself must not find it in the log as well."""
    with pytest.raises(ValueError, match=why) as caught:
        PasswordHash.parse(text)

    assert text not in str(caught.value)


def test_a_decoy_costs_the_same_and_matches_nothing():
    """Else the time of an answer tells which users there are."""
    stored = PasswordHash.of("correct horse")
    decoy = stored.decoy()

    assert (decoy.log2_cost, decoy.block_size, decoy.parallel) == (15, 8, 3)
    assert not decoy.matches("correct horse")


def test_tokens_are_long_random_and_kept_as_digests():
    """256 bits cannot be found from their digest, however fast it is."""
    one, other = new_token(), new_token()

    assert one != other
    assert len(one) >= 43
    assert checked_digest(token_digest(one).upper()) == token_digest(one)
    with pytest.raises(ValueError, match="new-token"):
        checked_digest(one)
