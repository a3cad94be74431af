import Glibc

/// Where a service says what it does: levels, a sentence, and ordered fields.
///
/// A value, cheap to copy. Writing a line costs the caller one lock; the text is made and written
/// elsewhere. Fields hold names and numbers; never payloads, prompts or tokens.
package struct Log: Sendable {
    /// How much a line matters.
    package enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error

        /// As on the command line and in JSON.
        package var name: String {
            switch self {
            case .debug: "debug"
            case .info: "info"
            case .warning: "warning"
            case .error: "error"
            }
        }

        package static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
    }

    /// The value of a field.
    package enum Value: Sendable, Hashable {
        case text(String)
        case integer(Int)
        case number(Double)
        case truth(Bool)
    }

    /// A name and a value; the order of fields is kept.
    package struct Field: Sendable, Hashable {
        package let name: String
        package let value: Value

        package init(_ name: String, _ value: Value) {
            (self.name, self.value) = (name, value)
        }
    }

    /// A line before it becomes text.
    package struct Record: Sendable {
        package let level: Level
        /// Since 1970, UTC.
        package let unixNanoseconds: Int64
        package let message: String
        package let fields: [Field]

        package init(
            _ level: Level, at unixNanoseconds: Int64, _ message: String, _ fields: [Field]
        ) {
            (self.level, self.unixNanoseconds) = (level, unixNanoseconds)
            (self.message, self.fields) = (message, fields)
        }
    }

    /// Lines below this level are dropped before anything is done for them.
    package let level: Level
    private let sink: any LogSink
    private let fields: [Field]
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - level: the least level written
    ///   - sink: what receives the lines
    ///   - now: nanoseconds since 1970
    package init(
        level: Level, sink: any LogSink,
        now: @escaping @Sendable () -> Int64 = { WallClock.nanoseconds() }
    ) {
        self.init(level: level, sink: sink, fields: [], now: now)
    }

    private init(
        level: Level, sink: any LogSink, fields: [Field], now: @escaping @Sendable () -> Int64
    ) {
        (self.level, self.sink, self.fields, self.now) = (level, sink, fields, now)
    }

    /// A log that drops everything.
    package static let silent = Log(level: .error, sink: SilentSink())

    /// The same log with these fields before those of every line.
    package func with(_ fields: Field...) -> Log {
        Log(level: level, sink: sink, fields: self.fields + fields, now: now)
    }

    /// Writes what only those who look for a fault want to read.
    package func debug(_ message: @autoclosure () -> String, _ fields: Field...) {
        write(.debug, message(), fields)
    }

    /// Writes what is as it should be.
    package func info(_ message: @autoclosure () -> String, _ fields: Field...) {
        write(.info, message(), fields)
    }

    /// Writes what somebody should look at.
    package func warning(_ message: @autoclosure () -> String, _ fields: Field...) {
        write(.warning, message(), fields)
    }

    /// Writes what went wrong on this side.
    package func error(_ message: @autoclosure () -> String, _ fields: Field...) {
        write(.error, message(), fields)
    }

    /// Whether lines of that level go anywhere.
    package func writes(_ level: Level) -> Bool { level >= self.level }

    /// Writes a line whose level or fields are computed.
    package func write(
        _ level: Level, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [Field]
    ) {
        guard writes(level) else { return }
        let all = self.fields.isEmpty ? fields() : self.fields + fields()
        sink.accept(Record(level, at: now(), message(), all))
    }

    /// Waits until what was written so far has left the process. Only for the end of a program.
    package func flush() { sink.flush() }
}

/// Receives the lines of a log. Must not block: callers may be event loops.
package protocol LogSink: Sendable {
    func accept(_ record: Log.Record)
    /// Returns when everything accepted has left the process.
    func flush()
}

private struct SilentSink: LogSink {
    func accept(_ record: Log.Record) {}
    func flush() {}
}

/// The time of day.
package enum WallClock {
    /// Nanoseconds since 1970, UTC.
    package static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Seconds since 1970, UTC.
    package static func seconds() -> Int64 { nanoseconds() / 1_000_000_000 }
}
