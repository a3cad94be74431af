import Base
import Foundation
import Messages
import Testing

/// Prints times; run with `BENCH=1 swift test -c release --filter MessagesTests.SpeedTests`.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["BENCH"] != nil))
struct SpeedTests {
    @Test func encodeAndDecode() throws {
        var echo = EchoTest.EchoRequest()
        echo.payload = Bytes([UInt8](repeating: 7, count: 92))
        echo.sequenceNumber = 123_456_789
        try measure("echo, 100 bytes", echo)
        var rich = EchoTest.Everything.Nested()
        rich.number = 7
        rich.text = String(repeating: "text ", count: 20)
        try measure("number and text, 100 bytes", rich)
        var info = GoogleRPC.ErrorInfo()
        info.reason = "RESOURCE_LIMIT_EXCEEDED"
        info.domain = "fovea"
        info.metadata = ["limit": "5", "observed": "7", "unit": "rows"]
        try measure("error info, map of three", info)
        try measure("everything, 544 bytes", Everything.known)
        echo.payload = Bytes([UInt8](repeating: 7, count: 1 << 20))
        try measure("echo, 1 MiB", echo)
    }

    private func measure<M: WireMessage>(_ name: String, _ message: M) throws {
        let bytes = try message.encoded()
        let rounds = bytes.count > 10_000 ? 2000 : 200_000
        let clock = ContinuousClock()
        var sum = 0
        var best = (encode: Double.infinity, decode: Double.infinity)
        for _ in 0..<5 {
            let encode = try clock.measure {
                for _ in 0..<rounds { sum += try message.encoded().count }
            }
            let decode = try clock.measure {
                for _ in 0..<rounds { sum += try M(decoding: bytes) is Everything ? 1 : 0 }
            }
            best.encode = min(best.encode, encode / .nanoseconds(rounds))
            best.decode = min(best.decode, decode / .nanoseconds(rounds))
        }
        print(
            "\(name) (\(bytes.count) bytes): encode \(Int(best.encode)) ns,"
                + " decode \(Int(best.decode)) ns (\(sum))")
    }
}
