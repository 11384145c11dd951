"""Tell the name of another company from another way to write the same name."""

import re
import unicodedata

# Legal forms and what stands for one, without dots and in small letters.
_LEGAL_FORMS = (
    "inc incorporated corp corporation co company ltd limited plc llc lp llp nv bv ag se sa sas "
    "sarl spa srl ab asa as aps oy oyj kgaa kg gmbh ltda pjsc pao ojsc oao tbk bhd kk pte pty "
    "the and adr ads reit"
)
LEGAL_FORMS = frozenset(_LEGAL_FORMS.split())

_APART = re.compile(r"[^\w\s]|_")


def name_key(name: str) -> str:
    """Return `name` without case, accents, punctuation and legal form."""
    folded = unicodedata.normalize("NFKD", name).casefold()
    plain = "".join(letter for letter in folded if not unicodedata.combining(letter))
    words = _APART.sub(" ", plain.replace(".", "").replace("'", "")).split()
    kept = [word for word in words if word not in LEGAL_FORMS]
    return " ".join(kept or words)


def is_other_name(name: str, known: str) -> bool:
    """Return whether `name` is another company's than `known`; an empty name tells nothing."""
    return bool(name and known) and name_key(name) != name_key(known)
