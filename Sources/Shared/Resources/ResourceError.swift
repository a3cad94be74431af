package import Base

/// Why a service that keeps resources turned a call down.
package enum ResourceError: Failure, Hashable {
    case required(field: String)
    case invalid(field: String, seen: String, allowed: String)
    case fieldsConflict(String, fields: [String])
    case badName(field: String, seen: String, form: String)
    case badPageToken
    case badFilter(why: String, at: Int)
    case badUpdateMask(field: String, allowed: String)
    case outOfOrder(seen: String, expected: String)
    case notFound(type: String, name: String)
    case exists(name: String)
    case changed(name: String, seen: String, present: String)
    case requestIDReused(String)
    case inUse(name: String, why: String)
    case badState(name: String, why: String)
    case erased(name: String)
    case tooLarge(what: String, bytes: Int, bytesMax: Int)
    case undecided(count: Int, example: String)
    case leaks(String)
    case splitTooSmall(String)
    case badCursor(why: String)
    case forbidden(what: String, role: String)

    package var kind: FailureKind {
        switch self {
        case .required, .invalid, .fieldsConflict, .badName, .badPageToken, .badFilter,
            .badUpdateMask, .outOfOrder, .badCursor:
            .invalidInput
        case .notFound: .notFound
        case .exists, .requestIDReused: .alreadyExists
        case .changed: .conflict
        case .inUse, .badState, .erased, .undecided, .leaks, .splitTooSmall: .precondition
        case .tooLarge: .exhausted
        case .forbidden: .forbidden
        }
    }

    package var reason: String {
        switch self {
        case .required: "FIELD_REQUIRED"
        case .invalid: "FIELD_INVALID"
        case .fieldsConflict: "FIELDS_CONFLICT"
        case .badName: "NAME_INVALID"
        case .badPageToken: "PAGE_TOKEN_INVALID"
        case .badFilter: "FILTER_INVALID"
        case .badUpdateMask: "UPDATE_MASK_INVALID"
        case .outOfOrder: "STREAM_OUT_OF_ORDER"
        case .notFound: "RESOURCE_NOT_FOUND"
        case .exists: "RESOURCE_EXISTS"
        case .changed: "ETAG_MISMATCH"
        case .requestIDReused: "REQUEST_ID_REUSED"
        case .inUse: "RESOURCE_IN_USE"
        case .badState: "STATE_INVALID"
        case .erased: "ERASED"
        case .tooLarge: "SIZE_EXCEEDED"
        case .undecided: "ROWS_UNDECIDED"
        case .leaks: "SPLIT_LEAKS"
        case .splitTooSmall: "SPLIT_TOO_SMALL"
        case .badCursor: "CURSOR_INVALID"
        case .forbidden: "ROLE_MISSING"
        }
    }

    package var message: String {
        switch self {
        case .required(let field): "\(field) is required"
        case .invalid(let field, let seen, let allowed):
            "\(field) cannot be '\(seen.shortened)'; \(allowed)"
        case .fieldsConflict(let why, _): why
        case .badName(let field, let seen, let form):
            "\(field) '\(seen.shortened)' is no name; it has the form \(form)"
        case .badPageToken: "page_token is not from the previous answer to the same request"
        case .badFilter(let why, let place): "the filter cannot be read at byte \(place): \(why)"
        case .badUpdateMask(let field, let allowed):
            "update_mask names '\(field.shortened)'; allowed are \(allowed)"
        case .outOfOrder(let seen, let expected): "\(seen) came where \(expected) was expected"
        case .notFound(_, let name): "there is no \(name.shortened)"
        case .exists(let name): "\(name) exists already; choose another id"
        case .changed(let name, let seen, let present):
            "\(name) has changed: etag '\(seen.shortened)' is not '\(present)'; read it again"
        case .requestIDReused(let id): "request_id \(id) was used with another request"
        case .inUse(let name, let why): "\(name) is in use: \(why)"
        case .badState(let name, let why): "\(name): \(why)"
        case .erased(let name): "\(name) was erased; a tombstone is all that is left"
        case .tooLarge(let what, let bytes, let max):
            "\(what) takes \(bytes) bytes; at most \(max) are allowed"
        case .undecided(let count, let example):
            "\(count) rows have no decided answer, such as \(example); decide them or set"
                + " skip_undecided"
        case .leaks(let why), .splitTooSmall(let why): why
        case .badCursor(let why): "the cursor does not fit: \(why)"
        case .forbidden(let what, let role): "\(what) needs the role \(role)"
        }
    }

    package var details: [FailureDetail] {
        switch self {
        case .required(let field): [.field(path: field, description: "it is required")]
        case .invalid(let field, _, let allowed): [.field(path: field, description: allowed)]
        case .fieldsConflict(let why, let fields):
            fields.map { .field(path: $0, description: why) }
        case .badName(let field, _, let form):
            [.field(path: field, description: "it has the form \(form)")]
        case .badFilter: [.field(path: "filter", description: message)]
        case .badPageToken: [.field(path: "page_token", description: message)]
        case .badUpdateMask: [.field(path: "update_mask", description: message)]
        case .badCursor: [.field(path: "cursor", description: message)]
        case .notFound(let type, let name):
            [.resource(type: type, name: name, description: "it does not exist")]
        case .exists(let name), .erased(let name), .changed(let name, _, _):
            [.resource(type: "", name: name, description: message)]
        case .inUse(let name, let why), .badState(let name, let why):
            [.precondition(type: reason, subject: name, description: why)]
        case .undecided, .leaks, .splitTooSmall:
            [.precondition(type: reason, subject: "rows", description: message)]
        case .tooLarge(let what, _, _): [.quota(subject: what, description: message)]
        case .outOfOrder, .requestIDReused, .forbidden: []
        }
    }
}

extension String {
    /// At most 200 characters, for messages.
    package var shortened: String {
        count <= ResourceLimits.seenCharactersMax
            ? self : prefix(ResourceLimits.seenCharactersMax) + "…"
    }
}
