import Base
import TestSupport
import Testing

@testable import RPC

@Suite struct CodingTests {
    @Test(arguments: [
        ("1H", 3600), ("2M", 120), ("3S", 3), ("4m", 0.004), ("5u", 0.000005), ("6n", 6e-9),
        ("99999999H", 359_999_996_400),
    ])
    func timeoutsAreRead(text: String, seconds: Double) throws {
        let read = try #require(TimeoutCoding.decode(text))
        #expect(abs(read - seconds) <= seconds * 1e-12)
    }

    @Test(arguments: ["", "S", "1", "-1S", "123456789S", "1.5S", "1s", " 1S", "１S"])
    func whatIsNoTimeoutIsRefused(text: String) {
        #expect(TimeoutCoding.decode(text) == nil)
    }

    @Test(arguments: [0, 1e-9, 0.00025, 0.1, 1, 59.5, 86_400, 1e9, 1e15])
    func timeoutsNeverGrowShorterOnTheWire(seconds: Double) throws {
        let text = TimeoutCoding.encode(seconds: seconds)
        let read = try #require(TimeoutCoding.decode(text))
        #expect(read >= min(seconds, 359_999_996_400) * (1 - 1e-9))
        #expect(read <= seconds * 1.001 + 1e-9)
    }

    @Test(arguments: ["", "plain", "100 %", "grün\n\t", "%41", "日本"])
    func messagesSurviveEscaping(text: String) {
        let escaped = PercentCoding.encode(text)
        #expect(escaped.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7e })
        let read = Array(escaped.utf8).withUnsafeBufferPointer { PercentCoding.decode($0) }
        #expect(read == text)
    }

    @Test func brokenEscapesStayAsTheyAre() {
        let read = Array("a%4g%".utf8).withUnsafeBufferPointer { PercentCoding.decode($0) }
        #expect(read == "a%4g%")
    }

    @Test(arguments: 0..<20)
    func binaryMetadataSurvivesBase64(count: Int) {
        let bytes = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 77) })
        let text = Base64.encode(bytes)
        #expect(!text.contains("="))
        for padded in [text, text + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)] {
            let read = Array(padded.utf8).withUnsafeBufferPointer { Base64.decode($0) }
            #expect(read == bytes)
        }
    }

    @Test(arguments: ["A", "!!!!", "AB=C", "A AA"])
    func whatIsNoBase64IsRefused(text: String) {
        #expect(Array(text.utf8).withUnsafeBufferPointer { Base64.decode($0) } == nil)
    }

    @Test(arguments: [0, 1, 1023, 100_000])
    func gzipReturnsWhatItWasGiven(count: Int) throws {
        let bytes = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) })
        let framed = try #require(bytes.withUnsafeBytes { Gzip.compressFramed($0) })
        let member = framed.slice(5..<framed.count)
        #expect(try Gzip.decompress(member, bytesMax: count) == bytes)
    }

    @Test func aGzipBombStopsAtTheLimit() throws {
        let bomb = try #require(
            Bytes(repeatElement(0, count: 8 << 20)).withUnsafeBytes { Gzip.compressFramed($0) })
        let error = #expect(throws: RPCError.self) {
            try Gzip.decompress(bomb.slice(5..<bomb.count), bytesMax: 1 << 20)
        }
        #expect(error?.code == .resourceExhausted)
    }

    @Test func whatIsNoGzipIsAnError() {
        let error = #expect(throws: RPCError.self) {
            try Gzip.decompress([1, 2, 3, 4], bytesMax: 100)
        }
        #expect(error?.code == .internalError)
    }

    @Test(arguments: [
        ("unix:/tmp/a", Address.unix(path: "/tmp/a")),
        ("tcp:localhost:7101", .tcp(host: "localhost", port: 7101)),
        ("example.org:80", .tcp(host: "example.org", port: 80)),
        ("tcp:[::1]:0", .tcp(host: "::1", port: 0)),
    ])
    func addressesAreRead(text: String, address: Address) throws {
        #expect(try Address(text) == address)
    }

    @Test(arguments: [
        "", "unix:", "tcp:", "host", "host:", "host:-1", "host:65536", "::1:80", ":1", "a b:1",
    ])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(throws: AddressError.malformed(text)) { try Address(text) }
    }

    @Test func aSocketPathTooLongNamesBothNumbers() {
        let error = #expect(throws: AddressError.self) {
            try Address("unix:/" + String(repeating: "x", count: 120))
        }
        #expect(error?.message.contains("121") == true)
        #expect(error?.message.contains("107") == true)
    }
}
