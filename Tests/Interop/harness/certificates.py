"""A certificate authority for one test run."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path
    serial: int

    @property
    def pem(self) -> tuple[bytes, bytes]:
        """Key and certificate chain, in the order grpcio takes them."""
        return self.key.read_bytes(), self.certificate.read_bytes()


class Authority:
    """Issues certificates for localhost and for clients."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key(), days=2)
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
        self.certificate = folder / f"{name}-ca.pem"
        signed = builder.sign(self._key, hashes.SHA256())
        self.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str) -> Identity:
        """A certificate for localhost and the loopback addresses."""
        loopback = [x509.IPAddress(ip_address(text)) for text in ("127.0.0.1", "::1")]
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), *loopback])
        return self._issue(name, ExtendedKeyUsageOID.SERVER_AUTH, names, days=1)

    def client(self, name: str, expired: bool = False) -> Identity:
        """A certificate for a client; valid for a day, or until an hour ago."""
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        days = -1 / 24 if expired else 1
        return self._issue(name, ExtendedKeyUsageOID.CLIENT_AUTH, names, days)

    def _issue(
        self, name: str, usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName, days: float,
    ) -> Identity:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), days)
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        identity = Identity(
            self.folder / f"{name}.pem", self.folder / f"{name}.key", signed.serial_number)
        identity.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        identity.key.touch(mode=0o600)
        identity.key.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        return identity

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: float
    ) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        authority = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.public_key(key).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=2))
        builder = builder.not_valid_after(now + timedelta(days=days))
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        return builder.add_extension(own, False).add_extension(issuer, False)
