import Messages
import Resources
import Storage

/// Whether answers speak of colours, which a change of colour would make wrong. Black, white and
/// grey do not count: turning the hue leaves them as they are.
enum ColorWords {
    /// Rows that are looked at.
    private static let rowsMax = 1_000

    private static let words: Set<String> = [
        "color", "colors", "colour", "colours", "colored", "coloured", "hue",
        "red", "reddish", "green", "greenish", "blue", "bluish", "yellow", "yellowish", "orange",
        "purple", "violet", "pink", "brown", "brownish", "magenta", "cyan", "turquoise",
        "rot", "grün", "blau", "gelb", "braun", "farbe", "rouge", "vert", "bleu", "jaune",
        "couleur", "rojo", "verde", "azul", "amarillo",
    ]

    /// Whether a colour is among the words of a text.
    static func name(in text: String) -> Bool {
        text.lowercased().split { !$0.isLetter }.contains { words.contains(String($0)) }
    }

    /// Whether the dataset's schema names colours, or one of its first decided answers.
    static func areNamed(in dataset: DatasetRecord, _ db: Connection) throws -> Bool {
        let schema = dataset.stored.answerSchema ?? AnswerSchema()
        if schema.classes.contains(where: { name(in: $0.name) }) { return true }
        if name(in: schema.jsonSchema) { return true }
        var isNamed = false
        try db.each(
            """
            SELECT payload FROM examples JOIN revisions ON revisions.id = revision_id
            WHERE dataset_id = ? AND state = ? ORDER BY examples.id LIMIT \(rowsMax)
            """, [.integer(dataset.id), SQLValue(Int(ExampleState.decided.rawValue))]
        ) { row in
            isNamed = (try? Example(decoding: row.blob(0))).map { name(in: $0.answer) } ?? false
            return !isNamed
        }
        return isNamed
    }
}
