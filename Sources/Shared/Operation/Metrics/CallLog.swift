package import Base
package import RPC

/// Writes one line for each call that ended: who, what, how long, how it went; never payloads.
package struct CallLog: CallObserver {
    private let log: Log
    /// Services that probes and tools call all the time: their successes are for debugging.
    private let quietServices: Set<String>

    package init(log: Log, quietServices: Set<String>) {
        (self.log, self.quietServices) = (log, quietServices)
    }

    package func callStarted(_ path: MethodPath, kind: CallKind) {}

    package func callEnded(_ record: CallRecord) {
        log.write(level(of: record), "call", fields(of: record))
    }

    /// A caller's mistake is ordinary; a fault of the server is not.
    private func level(of record: CallRecord) -> Log.Level {
        switch record.code {
        case .internalError, .dataLoss, .unknown: .error
        case .unavailable, .resourceExhausted, .deadlineExceeded: .warning
        case .ok, .cancelled: quietServices.contains(record.path.service) ? .debug : .info
        default: .info
        }
    }

    private func fields(of record: CallRecord) -> [Log.Field] {
        var fields = [
            Log.Field("request_id", .text(record.requestID)),
            Log.Field("method", .text(record.path.description)),
            Log.Field("code", .text(record.code.name)),
            Log.Field("duration_ms", .number(rounded(record.durationSeconds * 1_000))),
            Log.Field("received", .integer(record.messagesReceived)),
            Log.Field("sent", .integer(record.messagesSent)),
            Log.Field("peer", .text(record.peer.address)),
        ]
        if !record.principalName.isEmpty {
            fields.append(Log.Field("principal", .text(record.principalName)))
        }
        if record.code != .ok { fields.append(Log.Field("error", .text(record.message))) }
        if let cause = record.cause, !(cause is RPCError), level(of: record) == .error {
            fields.append(Log.Field("cause", .text(String(String(describing: cause).prefix(500)))))
        }
        return fields
    }

    /// To whole microseconds.
    private func rounded(_ milliseconds: Double) -> Double {
        (milliseconds * 1_000).rounded() / 1_000
    }
}

/// Several observers as one.
package struct CallObservers: CallObserver {
    private let observers: [any CallObserver]

    package init(_ observers: any CallObserver...) { self.observers = observers }

    package func callStarted(_ path: MethodPath, kind: CallKind) {
        for observer in observers { observer.callStarted(path, kind: kind) }
    }

    package func callEnded(_ record: CallRecord) {
        for observer in observers { observer.callEnded(record) }
    }
}
