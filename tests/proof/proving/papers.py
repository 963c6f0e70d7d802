"""Certificates, so that whoever calls a name over HTTPS calls it as in production: verified, and by that name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# The clock over there runs ahead of ours, by no more than a story's length.
LASTS = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Papers:
    """Whom to trust, and what a server shows (its key included)."""

    authority: Path
    server: Path


def issue(place: Path, names: Sequence[str]) -> Papers:
    """An authority of this proof's own, and a certificate of it for these names."""
    papers = Papers(place / "authority.pem", place / "server.pem")
    signs, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _named("the proof's authority")
    root = (
        _draft(authority, authority, signs)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(signs.public_key()), critical=False)
        .sign(signs, hashes.SHA256())
    )
    leaf = (
        _draft(_named("the proof's names"), authority, key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signs.public_key()), critical=False)
        .sign(signs, hashes.SHA256())
    )
    papers.authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    papers.server.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
    return papers


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LASTS)
    )
