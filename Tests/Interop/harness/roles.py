"""What `--tokens` means, for both echo servers: one token a role, one role a method.

The token `ROLE-token` carries the role; a method needs the role given here, and each role
includes those before it.
"""

ROLES = ["reader", "annotator", "trainer", "operator", "admin"]

NEEDED = {
    "Unary": "reader",
    "ClientStream": "annotator",
    "ServerStream": "trainer",
    "Bidirectional": "operator",
    "RoundTrip": "admin",
}


def token(role: str) -> str:
    """The token that carries `role`."""
    return f"{role}-token"


def may(role: str, method: str) -> bool:
    """Whether a caller with `role` may call `method`."""
    return ROLES.index(role) >= ROLES.index(NEEDED[method])
