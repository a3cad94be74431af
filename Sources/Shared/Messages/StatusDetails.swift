package import Base

/// The `google.rpc.Status` that travels in `grpc-status-details-bin`.
package enum StatusDetails {
    /// What a peer said about a failure.
    package struct Decoded: Sendable, Hashable {
        package var code: Int32 = 0
        package var message = ""
        /// Empty if there was no ErrorInfo.
        package var reason = ""
        package var domain = ""
        package var facts: [String: String] = [:]
        package var details: [FailureDetail] = []
    }

    private static let urlPrefix = "type.googleapis.com/"
    /// The largest `google.protobuf.Duration`: 10,000 years.
    private static let durationSecondsMax = 315_576_000_000.0

    /// A serialised `google.rpc.Status`: an ErrorInfo with reason, domain and facts, and one message
    /// for each kind of detail. A NUL in a text becomes U+FFFD.
    package static func encode(
        code: Int32, message: String, reason: String, domain: String, facts: [String: String],
        details: [FailureDetail]
    ) -> Bytes {
        var status = GoogleRPC.Status()
        status.code = code
        status.message = clean(message)
        var info = GoogleRPC.ErrorInfo()
        info.reason = clean(reason)
        info.domain = clean(domain)
        for (key, value) in facts { info.metadata[clean(key)] = clean(value) }
        pack(info, &status)
        packLists(details, &status)
        for detail in details { packSingle(detail, &status) }
        return (try? status.encoded()) ?? Bytes()
    }

    /// Reads a serialised `google.rpc.Status`; details of unknown types are left out.
    package static func decode(_ bytes: Bytes) throws(WireError) -> Decoded {
        let status = try GoogleRPC.Status(decoding: bytes)
        var result = Decoded()
        result.code = status.code
        result.message = status.message
        for detail in status.details { try unpack(detail, &result) }
        return result
    }

    // Packing

    private static func pack<M: WireMessage>(_ message: M, _ status: inout GoogleRPC.Status) {
        guard let value = try? message.encoded() else { return }
        var wrapped = GoogleProtobuf.AnyMessage()
        wrapped.typeURL = urlPrefix + M.messageName
        wrapped.value = value
        status.details.append(wrapped)
    }

    /// The details whose messages are lists: one message holds all of a kind.
    private static func packLists(_ details: [FailureDetail], _ status: inout GoogleRPC.Status) {
        var request = GoogleRPC.BadRequest()
        var quota = GoogleRPC.QuotaFailure()
        var conditions = GoogleRPC.PreconditionFailure()
        for detail in details {
            switch detail {
            case .field(let path, let description):
                request.fieldViolations.append(
                    .with {
                        $0.field = clean(path)
                        $0.description = clean(description)
                    })
            case .quota(let subject, let description):
                quota.violations.append(
                    .with {
                        $0.subject = clean(subject)
                        $0.description = clean(description)
                    })
            case .precondition(let type, let subject, let description):
                conditions.violations.append(
                    .with {
                        $0.type = clean(type)
                        $0.subject = clean(subject)
                        $0.description = clean(description)
                    })
            case .resource, .retry: break
            }
        }
        if !request.fieldViolations.isEmpty { pack(request, &status) }
        if !quota.violations.isEmpty { pack(quota, &status) }
        if !conditions.violations.isEmpty { pack(conditions, &status) }
    }

    private static func packSingle(_ detail: FailureDetail, _ status: inout GoogleRPC.Status) {
        switch detail {
        case .resource(let type, let name, let description):
            var resource = GoogleRPC.ResourceInfo()
            resource.resourceType = clean(type)
            resource.resourceName = clean(name)
            resource.description = clean(description)
            pack(resource, &status)
        case .retry(let seconds):
            var retry = GoogleRPC.RetryInfo()
            retry.retryDelay = duration(seconds)
            pack(retry, &status)
        case .field, .quota, .precondition: break
        }
    }

    private static func duration(_ seconds: Double) -> GoogleProtobuf.Duration {
        let bounded = seconds > 0 ? min(seconds, durationSecondsMax) : 0
        let whole = bounded.rounded(.down)
        var duration = GoogleProtobuf.Duration()
        duration.seconds = Int64(whole)
        duration.nanos = min(Int32(((bounded - whole) * 1e9).rounded()), 999_999_999)
        return duration
    }

    private static func clean(_ text: String) -> String {
        guard text.utf8.contains(0) else { return text }
        return String(text.unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : Character($0) })
    }

    // Unpacking

    private static func unpack(_ detail: GoogleProtobuf.AnyMessage, _ result: inout Decoded)
        throws(WireError)
    {
        let name = detail.typeURL.split(separator: "/").last.map { String($0) } ?? ""
        switch name {
        case GoogleRPC.ErrorInfo.messageName:
            let info = try GoogleRPC.ErrorInfo(decoding: detail.value)
            result.reason = info.reason
            result.domain = info.domain
            result.facts = info.metadata
        case GoogleRPC.BadRequest.messageName:
            let request = try GoogleRPC.BadRequest(decoding: detail.value)
            result.details += request.fieldViolations.map {
                .field(path: $0.field, description: $0.description)
            }
        case GoogleRPC.QuotaFailure.messageName:
            let quota = try GoogleRPC.QuotaFailure(decoding: detail.value)
            result.details += quota.violations.map {
                .quota(subject: $0.subject, description: $0.description)
            }
        case GoogleRPC.PreconditionFailure.messageName:
            let failure = try GoogleRPC.PreconditionFailure(decoding: detail.value)
            result.details += failure.violations.map {
                .precondition(type: $0.type, subject: $0.subject, description: $0.description)
            }
        default: try unpackSingle(name, detail.value, &result)
        }
    }

    private static func unpackSingle(_ name: String, _ value: Bytes, _ result: inout Decoded)
        throws(WireError)
    {
        switch name {
        case GoogleRPC.ResourceInfo.messageName:
            let resource = try GoogleRPC.ResourceInfo(decoding: value)
            result.details.append(
                .resource(
                    type: resource.resourceType, name: resource.resourceName,
                    description: resource.description))
        case GoogleRPC.RetryInfo.messageName:
            let delay = try GoogleRPC.RetryInfo(decoding: value).retryDelay
            let seconds = Double(delay?.seconds ?? 0) + Double(delay?.nanos ?? 0) / 1e9
            result.details.append(.retry(afterSeconds: seconds))
        default: break
        }
    }
}
