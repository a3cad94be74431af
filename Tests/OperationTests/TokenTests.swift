import Base
import Digests
import RPC
import TestSupport
import Testing

@testable import Operation

struct TokenTests {
    private let token: Token
    private let hash: TokenHash
    private let peer = Peer(address: "unix:", isUnixSocket: true)

    init() {
        var randomness = SeededRandom(seed: 1)
        token = Token(randomness: &randomness)
        hash = token.hashed(salt: Token.bytes(16, &randomness))
    }

    private func authenticator(_ text: String, at unixSeconds: Int64 = 0) throws
        -> TokenAuthenticator
    {
        TokenAuthenticator(try TokenFile(parsing: text), unixSeconds: { unixSeconds })
    }

    @Test func aTokenIsKnownByItsHashOnly() throws {
        #expect(TokenHash(hash.description) == hash)
        #expect(hash.matches(token))
        #expect(!hash.description.contains(token.text.suffix(64)))
        var randomness = SeededRandom(seed: 2)
        #expect(!hash.matches(Token(randomness: &randomness)))
        #expect(Token(token.text)?.id == token.id)
    }

    @Test(arguments: ["", "fovea_", "x", String(repeating: "f", count: 87)])
    func whatIsNoTokenIsNone(text: String) {
        #expect(Token(text) == nil)
    }

    @Test func theHolderGetsItsRole() throws {
        let line = TokenFile.line(name: "ann", role: .annotator, hash: hash, expires: nil)
        let authenticator = try authenticator("# people\n\n\(line) # of the lab\n")
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let principal = try authenticator.authenticate(
                authorization: "\(scheme) \(token.text)", peer: peer)
            #expect(principal == Principal(name: "ann", role: .annotator))
        }
    }

    @Test func everybodyElseIsTurnedAway() throws {
        let line = TokenFile.line(name: "ann", role: .annotator, hash: hash, expires: nil)
        let authenticator = try authenticator(line)
        let wrongEnd = token.text.dropLast() + (token.text.hasSuffix("0") ? "1" : "0")
        let headers: [String?] = [
            nil, "", "Bearer", "Bearer ", "Bearer \(wrongEnd)", "Basic \(token.text)", token.text,
            "Bearer " + String(repeating: "x", count: 10_000), "Bearer \u{1F600}",
        ]
        for header in headers {
            let error = #expect(throws: RPCError.self) {
                try authenticator.authenticate(authorization: header, peer: peer)
            }
            #expect(error?.code == .unauthenticated)
            #expect(
                error?.reason == (header == nil ? "CREDENTIALS_MISSING" : "CREDENTIALS_INVALID"))
        }
    }

    @Test func aTokenEndsWithItsLastDay() throws {
        let day = try #require(CivilDate("2027-06-30"))
        let line = TokenFile.line(name: "ann", role: .reader, hash: hash, expires: day)
        let header = "Bearer \(token.text)"
        let last = try authenticator(line, at: day.unixSeconds + 86_399)
        #expect(try last.authenticate(authorization: header, peer: peer).name == "ann")
        let over = try authenticator(line, at: day.unixSeconds + 86_400)
        #expect(throws: RPCError.self) {
            try over.authenticate(authorization: header, peer: peer)
        }
    }

    @Test func certificatesHaveRolesToo() throws {
        let authenticator = try authenticator(#""cert:CN=ci,O=Fovea Lab" trainer"#)
        let known = Peer(
            address: "tcp:1.2.3.4:5", isUnixSocket: false,
            certificateSubject: "CN=ci,O=Fovea Lab")
        let other = Peer(
            address: "tcp:1.2.3.4:5", isUnixSocket: false, certificateSubject: "CN=ci")
        #expect(try authenticator.authenticate(authorization: nil, peer: known).role == .trainer)
        #expect(throws: RPCError.self) {
            try authenticator.authenticate(authorization: nil, peer: other)
        }
    }

    @Test func newTokensReplaceOldOnes() throws {
        let line = TokenFile.line(name: "ann", role: .reader, hash: hash, expires: nil)
        let authenticator = try authenticator(line)
        authenticator.replace(with: try TokenFile(parsing: ""))
        #expect(throws: RPCError.self) {
            try authenticator.authenticate(authorization: "Bearer \(token.text)", peer: peer)
        }
    }

    @Test(arguments: [
        ("ann reader", "line 1: write NAME ROLE sha256:"),
        ("\nann king HASH", "line 2: 'king' is not a role; one of reader, annotator"),
        ("ann reader sha256:1:2:3", "line 1: the third word is not a hash"),
        ("a/b reader HASH", "line 1: 'a/b' is not a name"),
        ("ann reader HASH expires=2027-02-30", "line 1: 'expires=2027-02-30' is not a date"),
        ("ann reader HASH a b", "line 1: write NAME"),
        ("\"ann reader HASH", "line 1: a quotation mark is not closed"),
        ("ann reader HASH\nann reader HASH", "line 2: the name or token occurs twice"),
        ("ann reader HASH\nbob reader HASH", "line 2: the name or token occurs twice"),
        ("cert:CN=a", "line 1: write \"cert:SUBJECT\" ROLE"),
    ])
    func aBadLineRefusesTheFile(text: String, words: String) {
        let parts = text.split(separator: "HASH", omittingEmptySubsequences: false)
        let error = #expect(throws: TokenFileError.self) {
            try TokenFile(parsing: parts.joined(separator: hash.description))
        }
        #expect(error?.message.hasPrefix(words) == true, "\(error?.message ?? "")")
    }

    @Test func digestsAreThoseOfTheStandard() {
        let digest = Array("abc".utf8).withUnsafeBytes { SHA256.digest($0) }
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(digest.hex == hex)
        #expect(Digest256(hex: hex) == digest)
        #expect(Digest256(hex: hex.uppercased()) == nil)
    }
}
