/// A name that equals another only if every byte does.
///
/// Swift compares strings by meaning, so that two ways to compose the same letter are equal; the
/// format does not. And the time that takes grows with the square of a run of combining marks,
/// which a hostile file could choose.
struct ExactName: Hashable, Sendable, ExpressibleByStringLiteral {
    /// Longer ones are neither read nor written, so that who compares names as strings, as
    /// everybody does sooner or later, does not wait long for the worst of them.
    static let bytesMax = 1024

    let text: String

    init(_ text: String) { self.text = text }

    init(stringLiteral text: String) { self.text = text }

    /// Throws if it is longer than allowed.
    func checkLength() throws(FormatError) {
        let bytes = text.utf8.count
        guard bytes <= ExactName.bytesMax else {
            throw .nameTooLong(bytes: bytes, bytesMax: ExactName.bytesMax)
        }
    }

    static func == (a: ExactName, b: ExactName) -> Bool {
        a.text.utf8.count == b.text.utf8.count && a.text.utf8.elementsEqual(b.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        var text = text
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
