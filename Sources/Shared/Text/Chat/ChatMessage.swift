/// One message of a conversation.
package struct ChatMessage: Sendable, Hashable {
    package var role: Role
    /// What it consists of, in order.
    package var parts: [Part]
    /// What a token of it counts in the loss, where the assistant speaks: 0 for not at all.
    package var lossWeight: Float = 1

    /// Who speaks.
    package enum Role: String, Sendable, CaseIterable { case system, user, assistant }

    /// A stretch of text, or the place of an image.
    package enum Part: Sendable, Hashable {
        case text(String)
        case image
    }

    package init(_ role: Role, _ parts: [Part]) { (self.role, self.parts) = (role, parts) }

    /// A message of text alone.
    package init(_ role: Role, _ text: String) { self.init(role, [.text(text)]) }

    /// How many images it has.
    package var images: Int { parts.reduce(0) { $0 + ($1 == .image ? 1 : 0) } }

    /// Its texts, joined.
    package var text: String {
        parts.reduce(into: "") { if case .text(let text) = $1 { $0 += text } }
    }
}
