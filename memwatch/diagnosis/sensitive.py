"""Whose values are never shown, and how all others are shown: without what is secret by its name or by its look."""

from __future__ import annotations

import re
import sys
from collections import deque
from itertools import pairwise

from memwatch.diagnosis.context import Refused
from memwatch.sampling.redaction import HIDDEN, redact
from memwatch.sampling.type_names import type_name

UNTRACKED = "untracked"
_CONTAINERS = (dict, list, tuple, set, frozenset, deque, bytearray)
_mro_of = type.__dict__["__mro__"].__get__

_WORDS = frozenset(
    """session sessions sessionid sessionkey auth oauth authentication authenticator authorization token tokens
    credential credentials secret secrets password passwords passwd passphrase cookie cookies key keys apikey jwt jws
    jwk jwe otp totp hotp csrf xsrf crypto cipher certificate certificates login logins keyring vault signer
    signing""".split()  # noqa: SIM905 - read like this
)
"""A type with one of these in its name, or in its module's, shows no values."""
_NAMES = _WORDS | frozenset(
    """pass pwd pw pin salt hash digest nonce dsn signature sig pem private credit card cvv cvc iban ssn
    bearer""".split()  # noqa: SIM905
)
"""An attribute, or a key of a dict, with one of these in its name shows none."""
_LIBRARIES = frozenset(
    """memwatch

    psycopg psycopg2 psycopg_c psycopg_binary psycopg_pool asyncpg pg8000 MySQLdb pymysql aiomysql mysql mariadb
    oracledb cx_Oracle pyodbc pymssql duckdb snowflake clickhouse_driver cassandra neo4j pymongo motor bson redis
    valkey aioredis pymemcache pylibmc memcache elasticsearch opensearchpy sqlalchemy peewee tortoise kombu amqp pika
    aio_pika billiard celery

    knox oauth2_provider oauthlib requests_oauthlib allauth social_core social_django mozilla_django_oidc djangosaml2
    saml2 django_otp two_factor axes jwt jose jwcrypto authlib itsdangerous passlib bcrypt argon2 nacl cryptography
    Crypto Cryptodome OpenSSL certifi paramiko fabric keyring hvac gnupg ldap ldap3 django_auth_ldap environ dotenv
    decouple dynaconf

    boto3 botocore aiobotocore s3transfer stripe braintree twilio sendgrid openai anthropic sentry_sdk requests httpx
    httpcore aiohttp urllib3 websockets google azure""".split()  # noqa: SIM905
)
"""Of these no type shows values: memwatch; databases, caches and brokers; who one is, and keys; clients, which keep
headers and credentials."""
_PACKAGES = (
    "django.conf.",
    "django.contrib.auth.",
    "django.contrib.sessions.",
    "django.contrib.messages.",
    "django.contrib.admin.",
    "django.core.cache.",
    "django.core.files.",
    "django.core.handlers.",
    "django.core.mail.",
    "django.core.signing.",
    "django.db.backends.",
    "django.db.utils.",
    "django.http.",
    "django.middleware.",
    "django.test.",
    "rest_framework.authentication.",
    "rest_framework.authtoken.",
    "rest_framework.request.",
)
_LONGEST = 500
"""So much of a text is looked through; far less is shown."""
_MOST_BITS = 64
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{16,}")
_MOST_RISES = 4
"""From a small letter to a large one, in a run without digits."""
_SHORTEST_WORDS = 5
"""Letters of a word, on average, in a run of small and large letters that a person named."""
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}", re.IGNORECASE)
"""No word has so many in a row."""
_DENSE = re.compile(r"\S{20,}")
_SIGNS = frozenset("!@#$%^&*()=+")
_MOST_SIGNS = 2
"""Different ones, in a run without blanks of letters and digits that is no secret: Django's SECRET_KEY has more."""
_CARD_DIGITS = range(13, 20)
_DIGITS = re.compile(r"\d(?:[ -]?\d){11,}")
"""Numbers of cards and accounts."""
_QUOTES = "'\""
_PEM = "-----BEGIN"


def refuse(name: str, container: str, *, allowed: bool) -> None:
    """Raises :class:`Refused` unless values of this type may be asked for at all."""
    if not allowed:
        raise Refused(
            "this process shows no values: ask without `values`, or set RECORD_VALUES in its settings "
            "(memwatch's own processes never show any)"
        )
    if name != UNTRACKED and ("." not in name or name.partition(".")[0] in sys.stdlib_module_names):
        raise Refused(
            f"values of {name} are not shown: objects of such types belong to everything in the process; "
            "name a type of the program's own, or ask without `values`"
        )
    for each in (name, container):
        if is_sensitive(each):
            raise Refused(
                f"values of {each} are not shown: such objects hold sessions, passwords, keys or connections; "
                "ask without `values`"
            )


def is_sensitive(name: str) -> bool:
    """Whether objects of this type may hold secrets."""
    if name.partition(".")[0] in _LIBRARIES or name.startswith(_PACKAGES):
        return True
    return not _WORDS.isdisjoint(_words(name))


def may_show(item: object, wanted: str) -> bool:
    """Whether the object is still of the type that was asked for, and of no sensitive one.

    It was found by its id: since then another may have taken its place.
    """
    order = _mro_of(type(item))
    if wanted == UNTRACKED:
        fits = any(base is plain for base in order for plain in _CONTAINERS)
    else:
        fits = type_name(type(item)) == wanted
    return fits and not any(is_sensitive(type_name(base)) for base in order)


def is_secret(name: str) -> bool:
    """Whether what is called so is not shown."""
    return not _NAMES.isdisjoint(_words(name)) or HIDDEN in redact(f"{name[:100].strip(_QUOTES)}=x")


def without_secrets(text: str) -> str:
    """The text without what looks like a key, a token, a cookie, a number of a card or the password of a URL."""
    text = text[:_LONGEST]
    if _PEM in text:
        return HIDDEN
    text = redact(text)
    text = _DENSE.sub(lambda match: HIDDEN if _is_dense(match[0]) else match[0], text)
    text = _RUN.sub(lambda match: HIDDEN if _is_random(match[0]) else match[0], text)
    return _DIGITS.sub(HIDDEN, text)


def number(value: int) -> str | None:
    """What is shown of a large whole number, which may be a key, or of a card's; ``None`` for others."""
    bits = int.bit_length(value)
    if bits > _MOST_BITS:
        return f"an int of {bits} bits"
    return HIDDEN if _is_card(str(value)) else None


def no_text(value: bytes) -> str | None:
    """What is shown of bytes that are no text, and may be a key; ``None`` for others."""
    text = value.decode(errors="replace")
    readable = "\N{REPLACEMENT CHARACTER}" not in text and all(each.isprintable() or each.isspace() for each in text)
    return None if readable else f"{len(value)} bytes that are no text"


def _is_card(digits: str) -> bool:
    """By its length and Luhn's sum, which one number in ten meets by chance."""
    odd, even = digits[::-2], digits[-2::-2]
    return (
        digits.isdecimal()
        and len(digits) in _CARD_DIGITS
        and (sum(map(int, odd)) + sum(sum(divmod(2 * int(each), 10)) for each in even)) % 10 == 0
    )


def _is_dense(run: str) -> bool:
    """Letters, digits and several signs without a blank. An address of the web may have these."""
    signs = len(_SIGNS.intersection(run))
    return signs > _MOST_SIGNS and "://" not in run and any(map(str.isdigit, run)) and any(map(str.isalpha, run))


def _is_random(run: str) -> bool:
    """Letters and digits mixed, or letters large and small in turn, as words are not. In doubt it is."""
    if any(map(str.isdigit, run)):
        return any(map(str.isalpha, run))
    if _CONSONANTS.search(run):
        return True
    if not (any(map(str.isupper, run)) and any(map(str.islower, run))):
        return False
    words = _WORD.findall(run)
    rises = sum(one.islower() and other.isupper() for one, other in pairwise(run))
    return rises >= _MOST_RISES or sum(map(len, words)) < _SHORTEST_WORDS * len(words)


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(name[:300])}
