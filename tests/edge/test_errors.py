import errno

import pytest

from edge.errors import unreadable

PERMISSION = (
    "cannot be read: Permission denied; copy it to a folder that this user may read, or run the command as a user who may (sudo -u USER)"
)


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x"), PERMISSION),
        (OSError(errno.EIO, "Input/output error", "/x"), "cannot be read: Input/output error"),
        (OSError("the drive is gone"), "cannot be read: the drive is gone"),
    ],
)
def test_unreadable_says_what_to_do_where_the_user_has_no_right(error: OSError, problem: str) -> None:
    assert unreadable(error) == problem
