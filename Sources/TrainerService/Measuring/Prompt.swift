import Images
import Messages
import Models
import Text
import Training

/// A row as a question: the turns up to its answer, put in a variant's words, after shots.
struct Prompt {
    private let row: StreamedExample
    private let variant: MeasurePlan.Variant
    private let shots: [StreamedExample]

    init(_ row: StreamedExample, _ variant: MeasurePlan.Variant, shots: [StreamedExample]) {
        (self.row, self.variant) = (row, variant)
        self.shots = shots
    }

    /// The tokens of the question, or of the whole conversation where an answer is given.
    func input(_ model: LoadedModel, answer: String? = nil) throws -> ModelInput {
        var messages: [ChatMessage] = []
        var pictures: [RGBImage] = []
        for (index, example) in (shots + [row]).enumerated() {
            var example = example
            let isQuestion = index == shots.count
            if isQuestion, example.turns.last?.role == .assistant { example.turns.removeLast() }
            if index > 0 { example.turns.removeAll { $0.role == .system } }
            let conversation = try Conversation(example)
            messages += conversation.messages
            pictures += try conversation.images.map {
                try DecodedImage(decoding: $0.content).image
            }
        }
        var worded = reworded(messages)
        if let answer { worded.append(ChatMessage(.assistant, answer)) }
        return try model.inputs.input(worded, pictures, forGeneration: answer == nil)
    }

    private func reworded(_ messages: [ChatMessage]) -> [ChatMessage] {
        var messages = messages
        if !variant.prompt.systemText.isEmpty {
            messages.removeAll { $0.role == .system }
            messages.insert(ChatMessage(.system, variant.prompt.systemText), at: 0)
        }
        let words = variant.prompt.userText
        guard !words.isEmpty else { return messages }
        return messages.map { message in
            guard message.role == .user else { return message }
            let images = message.parts.filter { $0 == .image }
            let text = words.replacing("{prompt}", with: message.text)
            return ChatMessage(.user, images + [.text(text)])
        }
    }
}
