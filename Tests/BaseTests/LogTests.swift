import Testing

@testable import Base

/// Keeps what it receives.
private final class Capture: LogSink {
    let records = Lock<[Log.Record]>([])
    func accept(_ record: Log.Record) { records.with { $0.append(record) } }
    func flush() {}
}

struct LogTests {
    private let moment: Int64 = 1_798_761_599_987_654_321  // 2026-12-31T23:59:59.987654321Z

    private func line(_ format: LogFormat, _ message: String, _ fields: Log.Field...) -> String {
        String(
            decoding: format.line(Log.Record(.info, at: moment, message, fields)), as: UTF8.self)
    }

    @Test func aJSONLineKeepsTheOrderOfItsFields() {
        let text = line(
            .json, "call", Log.Field("b", .integer(-3)), Log.Field("a", .text("x")),
            Log.Field("c", .number(0.25)), Log.Field("d", .truth(true)))
        #expect(
            text == #"{"time":"2026-12-31T23:59:59.987Z","level":"info","message":"call","#
                + #""b":-3,"a":"x","c":0.25,"d":true}"# + "\n")
    }

    @Test func aTextLineQuotesWhatWouldBeAmbiguous() {
        let text = line(
            .text, "ready", Log.Field("a", .text("plain")), Log.Field("b", .text("two words")),
            Log.Field("c", .text("")), Log.Field("d", .number(1.5)))
        #expect(text == "23:59:59.987 INFO    ready a=plain b=\"two words\" c=\"\" d=1.5\n")
    }

    @Test(arguments: LogFormat.allCases)
    func noControlCharacterAndNoSecondLineComesOut(format: LogFormat) {
        let hostile = "a\u{1b}[31m\n\u{0}\u{7f}\"\\\r"
        let text = line(format, hostile, Log.Field("f", .text(hostile)))
        #expect(text.hasSuffix("\n"))
        #expect(text.utf8.dropLast().allSatisfy { $0 >= 0x20 && $0 != 0x7f })
    }

    @Test func numbersThatJSONCannotSayAreNull() {
        #expect(line(.json, "m", Log.Field("x", .number(.nan))).contains(#""x":null"#))
    }

    @Test func linesBelowTheLevelCostNothing() {
        let capture = Capture()
        let log = Log(level: .warning, sink: capture, now: { 7 })
        func never() -> String {
            Issue.record("the message was made")
            return ""
        }
        log.info(never())
        log.error("bad", Log.Field("n", .integer(1)))
        let records = capture.records.with { $0 }
        #expect(records.map(\.message) == ["bad"])
        #expect(records.map(\.unixNanoseconds) == [7])
    }

    @Test func boundFieldsComeFirst() {
        let capture = Capture()
        let log = Log(level: .debug, sink: capture).with(Log.Field("service", .text("dataset")))
        log.debug("m", Log.Field("n", .integer(1)))
        #expect(capture.records.with { $0.first?.fields.map(\.name) } == ["service", "n"])
    }

    @Test func aFullQueueDropsAndCounts() {
        let written = Lock("")
        let writer = LogWriter(format: .text, recordsMax: 3) { bytes in
            written.with { $0 += String(decoding: bytes, as: UTF8.self) }
        }
        let queue = LogQueue(recordsMax: 3)
        for index in 0..<5 { queue.append(Log.Record(.info, at: 0, "m\(index)", [])) }
        let batch = queue.takeNow()
        writer.writeBatch(batch)
        #expect(batch.records.map(\.message) == ["m0", "m1", "m2"])
        #expect(written.with { $0.hasSuffix("reader is slow dropped=2\n") })
        #expect(queue.takeNow().dropped == 0)
    }

    @Test func flushingWaitsForTheThread() {
        let written = Lock(0)
        let writer = LogWriter(format: .json) { bytes in
            written.with { $0 += bytes.count { $0 == UInt8(ascii: "\n") } }
        }
        writer.start()
        for _ in 0..<1_000 { writer.accept(Log.Record(.info, at: 0, "m", [])) }
        writer.flush()
        #expect(written.with { $0 } == 1_000)
    }
}

struct CivilDateTests {
    @Test(arguments: [
        (0, "1970-01-01"), (951_782_400, "2000-02-29"), (-1, "1969-12-31"),
        (4_107_542_400, "2100-03-01"), (1_798_761_599, "2026-12-31"),
    ])
    func secondsAreOnADay(seconds: Int, text: String) {
        #expect(CivilDate(unixSeconds: Int64(seconds)).description == text)
        #expect(CivilDate(text)?.description == text)
    }

    @Test(arguments: ["2026-02-29", "2026-13-01", "2026-00-10", "26-01-01", "2026-1-01", "", "-"])
    func whatIsNoDayIsRefused(text: String) {
        #expect(CivilDate(text) == nil)
    }
}
