"""The words and forms of the hosted page, step by step."""

from html import escape

from sandbox.plaid import banks
from sandbox.plaid.records import LinkToken, Session
from sandbox.plaid.style import SHEET

_WAY = ("consent", "bank", "sign_in", "account", "finish")
_WAY_OF_UPDATE = ("sign_in", "finish")


def unknown() -> str:
    """Say that nobody made this address."""
    return _notice("This link is not known", "Go back to the app and ask for a new one.")


def expired(link: LinkToken) -> str:
    """Say that it is too late."""
    name = escape(link.client_name)
    return _notice("This link has expired", f"Go back to {name} and ask for a new one.")


def left() -> str:
    """Say that nothing was linked."""
    return _notice("No bank was linked", "You can close this window, or open the link again.")


def done(link: LinkToken) -> str:
    """Say that all is done, and lead back."""
    back = ""
    if link.completion_redirect_uri is not None:
        address = escape(link.completion_redirect_uri)
        back = (
            f'<a class="deed" id="return" href="{address}">Back to {escape(link.client_name)}</a>'
        )
    return _notice("Your bank is linked", "You can close this window now.", back)


def step(link: LinkToken, session: Session, here: str, problem: str = "") -> str:
    """Show the step that a person is at."""
    title, inside = _SHOWN[session.step](link, session, here)
    alert = f'<p role="alert" id="problem">{escape(problem)}</p>' if problem else ""
    return _frame(
        title, _way(link, session.step) + f"<h1>{title}</h1>{alert}{inside}" + _leave(here)
    )


def _consent(link: LinkToken, _session: Session, here: str) -> tuple[str, str]:
    name = escape(link.client_name)
    inside = (
        f"<p>{name} will be able to see, at the bank that you choose:</p>"
        "<ul><li>the account that you pick, and its balance</li>"
        "<li>its account and routing number, to move money that you ask for</li></ul>"
        f'<p class="soft">{name} never sees your password.</p>'
        + _form(here, "consent", '<button id="continue">Continue</button>')
    )
    return f"{name} wants to link your bank", inside


def _bank(_link: LinkToken, _session: Session, here: str) -> tuple[str, str]:
    buttons = "".join(
        f'<button class="choice" id="bank-{bank.id}" name="institution" value="{bank.id}">'
        f"{escape(bank.name)}<span>{'own page (OAuth)' if bank.is_oauth else ''}</span></button>"
        for bank in banks.INSTITUTIONS.values()
    )
    return "Choose your bank", _form(here, "bank", buttons)


def _sign_in(link: LinkToken, session: Session, here: str) -> tuple[str, str]:
    fields = (
        '<label for="username">User name</label>'
        '<input id="username" name="username" value="user_good" autocomplete="off">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" value="pass_good"'
        ' autocomplete="off" aria-describedby="hint">'
        '<p class="soft" id="hint">Any name will do here, such as <code>user_good</code> with '
        "<code>pass_good</code>. The password <code>pass_wrong</code> is refused.</p>"
        '<button id="sign-in">Sign in</button>'
    )
    return f"Sign in at {_bank_name(session)}", _form(here, "sign_in", fields) + _back(link, here)


def _account(link: LinkToken, session: Session, here: str) -> tuple[str, str]:
    institution_id = session.institution_id or banks.USUAL_INSTITUTION
    buttons = "".join(
        f'<button class="choice" id="account-{kind}" name="account" value="{kind}">'
        f"{banks.account_name(kind)}"
        f"<span>ending in {banks.mask(institution_id, link.person, kind)}</span></button>"
        for kind in banks.KINDS
    )
    intro = f"<p>{escape(link.client_name)} will use this account at {_bank_name(session)}:</p>"
    return "Choose an account", intro + _form(here, "account", buttons) + _back(link, here)


def _finish(link: LinkToken, session: Session, here: str) -> tuple[str, str]:
    name = escape(link.client_name)
    if session.kind is None:
        text = f"<p>{name} can reach {_bank_name(session)} again.</p>"
    else:
        digits = banks.mask(session.institution_id or "", link.person, session.kind)
        text = (
            f"<p><strong>{_bank_name(session)}</strong><br>"
            f"{banks.account_name(session.kind)}, ending in {digits}</p>"
        )
    button = f'<button id="finish">Finish and go back to {name}</button>'
    return "Almost done", text + _form(here, "finish", button)


_SHOWN = {
    "consent": _consent,
    "bank": _bank,
    "sign_in": _sign_in,
    "account": _account,
    "finish": _finish,
}


def bank(link: LinkToken, session: Session, here: str) -> str:
    """Show the own page of a bank that lets nobody else ask for the password."""
    title = f"{_bank_name(session)}: your own page"
    inside = (
        f"<h1>{title}</h1><p>You are signed in as <strong>user_good</strong>. "
        f"{escape(link.client_name)} asks to see your accounts and their numbers.</p>"
        + _form(here, "authorize", '<button id="authorize">Allow</button>')
        + _leave(here)
    )
    return _frame(title, inside, "own")


def _bank_name(session: Session) -> str:
    found = banks.INSTITUTIONS.get(session.institution_id or "")
    return "your bank" if found is None else escape(found.name)


def _way(link: LinkToken, at: str) -> str:
    way = _WAY if link.updates is None else _WAY_OF_UPDATE
    number = way.index(at) + 1
    marks = "".join(
        f'<li class="{"past" if place < number else "ahead"}"></li>' for place in range(len(way))
    )
    label = f"Step {number} of {len(way)}"
    return f'<p class="soft" id="step">{label}</p><ol class="way" aria-hidden="true">{marks}</ol>'


def _form(here: str, step_name: str, inside: str) -> str:
    return (
        f'<form method="post" action="{escape(here)}">'
        f'<input type="hidden" name="step" value="{step_name}">{inside}</form>'
    )


def _back(link: LinkToken, here: str) -> str:
    if link.updates is not None:
        return ""
    return _form(here, "back", '<button class="quiet" id="back">Choose another bank</button>')


def _leave(here: str) -> str:
    return _form(here, "cancel", '<button class="quiet" id="cancel">Cancel</button>')


def _notice(title: str, text: str, more: str = "") -> str:
    return _frame(title, f"<h1>{title}</h1><p>{text}</p>{more}")


def _frame(title: str, inside: str, kind: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{SHEET}</style></head><body>"
        f'<main class="{kind}"><p class="note">Sandbox: pretend banks, no real money.</p>'
        f'<div class="inside">{inside}</div></main></body></html>'
    )
