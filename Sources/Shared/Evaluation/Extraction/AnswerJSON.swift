package import Text

/// The JSON in an answer. Models like to wrap it in a fence or a sentence; that is a fault of form,
/// and whether the values are right is another question, so both are told apart.
package struct AnswerJSON: Sendable {
    /// The JSON alone.
    package let text: String
    package let document: JSONDocument
    /// Whether the answer is nothing but JSON, white space aside.
    package let isBare: Bool

    /// Longer answers are not read.
    package static let bytesMax = 1_048_576

    /// Reads an answer: as a whole, else what stands between the first opening and the last closing
    /// bracket. Nil if neither is JSON.
    package init?(_ answer: String) {
        guard answer.utf8.count <= Self.bytesMax else { return nil }
        if let whole = try? JSONDocument(answer.utf8) {
            (text, document, isBare) = (answer, whole, true)
            return
        }
        let bytes = Array(answer.utf8)
        guard let start = bytes.firstIndex(where: { $0 == 0x7b || $0 == 0x5b }),
            let end = bytes.lastIndex(where: { $0 == 0x7d || $0 == 0x5d }), start < end,
            let part = try? JSONDocument(bytes[start...end])
        else { return nil }
        (text, document, isBare) = (
            String(decoding: bytes[start...end], as: UTF8.self), part, false
        )
    }
}
