import Messages
import Resources
import Text

/// The turns of a request, checked.
struct Conversation: Sendable {
    let messages: [ChatMessage]
    /// Which image of the request stands at each place, in reading order.
    let order: [Int]

    /// - Parameter images: how many the request brings
    init(_ turns: [Turn], images: Int) throws {
        guard !turns.isEmpty else { throw ResourceError.required(field: "turns") }
        try FieldRules.range("turns (their number)", turns.count, 1...InferenceLimits.turnsMax)
        guard images <= InferenceLimits.imagesMax else {
            throw InferenceError.tooManyImages(count: images)
        }
        try Self.checkRoles(turns)
        var places = [String?](repeating: nil, count: images)
        var order: [Int] = []
        messages = try turns.enumerated().map { index, turn in
            let parts = try turn.parts.enumerated().map { part, content in
                let field = "turns[\(index)].parts[\(part)]"
                return try Self.part(content, field, turn.role, &places, &order)
            }
            return ChatMessage(turn.role.chatRole, parts)
        }
        if let missing = places.firstIndex(of: nil) {
            throw InferenceError.placeholders(
                field: "images[\(missing)]",
                why: "no turn has a place for it; \(order.count) places are there for \(images)"
                    + " images")
        }
        self.order = order
    }

    private static func checkRoles(_ turns: [Turn]) throws {
        var expected: [TurnRole] = [.system, .user]
        for (index, turn) in turns.enumerated() {
            let field = "turns[\(index)]"
            guard expected.contains(turn.role) else {
                let allowed = expected.map { $0.plainName }.joined(separator: " or ")
                guard [.system, .user, .assistant].contains(turn.role) else {
                    throw ResourceError.invalid(
                        field: field + ".role", seen: turn.role.plainName,
                        allowed: "\(allowed) is allowed")
                }
                throw InferenceError.turns(
                    field: field + ".role",
                    why: "\(turn.role.plainName) stands where \(allowed) is expected: user and"
                        + " assistant alternate after at most one system turn")
            }
            guard (1...InferenceLimits.partsMax).contains(turn.parts.count) else {
                throw ResourceError.invalid(
                    field: field + ".parts", seen: "\(turn.parts.count) parts",
                    allowed: "1 to \(InferenceLimits.partsMax) are allowed")
            }
            expected = turn.role == .user ? [.assistant] : [.user]
        }
        guard turns.last?.role == .user else {
            throw InferenceError.turns(
                field: "turns[\(turns.count - 1)].role",
                why: "the last turn is by \(turns.last?.role.plainName ?? ""); it must be by USER")
        }
    }

    private static func part(
        _ content: ContentPart, _ field: String, _ role: TurnRole, _ places: inout [String?],
        _ order: inout [Int]
    ) throws -> ChatMessage.Part {
        switch content.part {
        case .text(let text)?:
            guard !text.utf8.contains(0) else { throw InferenceError.text(field: field + ".text") }
            return .text(text)
        case .imageIndex(let index)?:
            let place = field + ".image_index"
            guard role == .user else {
                throw InferenceError.placeholders(
                    field: place, why: "only turns by USER may hold images")
            }
            guard places.indices.contains(Int(index)) else {
                throw InferenceError.placeholders(
                    field: place,
                    why: "\(index) is no image; the request brings \(places.count), counted from 0")
            }
            if let other = places[Int(index)] {
                throw InferenceError.placeholders(
                    field: place, why: "image \(index) stands at \(other) already")
            }
            places[Int(index)] = field
            order.append(Int(index))
            return .image
        case nil: throw ResourceError.required(field: field)
        }
    }
}

extension TurnRole {
    fileprivate var chatRole: ChatMessage.Role {
        switch self {
        case .system: .system
        case .assistant: .assistant
        default: .user
        }
    }
}
