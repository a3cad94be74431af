import Glibc
package import Layers
package import Models
package import Numerics

/// A prompt and how it is to be answered.
package struct GenerationRequest: Sendable {
    /// Ends with what introduces the answer.
    package var input: ModelInput
    package var rules: SamplingRules
    /// The same seed gives the same answer, whatever else is answered at the same time.
    package var seed: UInt64
    /// The longest answer in tokens, above 0.
    package var tokensMax: Int
    /// Tokens that end an answer. They belong to its tokens, not to its text.
    package var stopTokens: Set<Int32>
    /// Texts that end an answer, and do not belong to it.
    package var stopTexts: [String]
    /// How many of the likeliest tokens are reported for each token; nil to report no
    /// probabilities, 0 for those of the tokens themselves.
    package var topLogProbabilities: Int?
    /// How many answers.
    package var samples: Int
    /// What the prompt and the answers go through, besides the model.
    package var adapter: RequestAdapter?
    /// What tells each image of the prompt from others, its digest: equal names stand for equal
    /// images. nil if pages and images are not to be shared with other requests.
    package var imageNames: [String]?
    /// Tenants get equal shares.
    package var tenant: String
    /// Higher ones come first within a tenant.
    package var priority: Int

    package init(
        _ input: ModelInput, rules: SamplingRules = .greedy, tokensMax: Int,
        stopTokens: Set<Int32> = [], stopTexts: [String] = []
    ) {
        (self.input, self.rules, self.tokensMax) = (input, rules, tokensMax)
        (self.stopTokens, self.stopTexts) = (stopTokens, stopTexts)
        (seed, topLogProbabilities, samples, adapter) = (0, nil, 1, nil)
        (imageNames, tenant, priority) = (nil, "", 0)
    }

    /// The most stop texts, and the longest in bytes.
    package static let stopTextsMax = 16
    package static let stopTextBytesMax = 200
    package static let samplesMax = 64
    package static let topLogProbabilitiesMax = 20

    /// For whom its sequences are computed, and what the full pages of its prompt hold.
    func terms(pageRows: Int) -> SequenceTerms {
        SequenceTerms(
            tenant: tenant, adapter: adapter?.name ?? "", priority: priority,
            contents: contents(pageRows: pageRows))
    }

    private func contents(pageRows: Int) -> [PageContent] {
        guard let imageNames, imageNames.count == input.imageRows.count else { return [] }
        return (0..<(input.ids.count - 1) / pageRows).map { page in
            let rows = page * pageRows..<(page + 1) * pageRows
            let parts = zip(imageNames, input.imageRows).compactMap { name, place in
                let cut = place.clamped(to: rows)
                return cut.isEmpty
                    ? nil
                    : PageContent.ImagePart(
                        name: name, firstRow: cut.lowerBound - place.lowerBound,
                        place: cut.lowerBound - rows.lowerBound)
            }
            return PageContent(ids: Array(input.ids[rows]), images: parts)
        }
    }

    /// Throws what cannot be answered by any model.
    func check() throws(GenerationError) {
        guard tokensMax > 0 else { throw .tokensMax(tokensMax) }
        guard (1...Self.samplesMax).contains(samples) else {
            throw .tooManySamples(samples: samples, samplesMax: Self.samplesMax)
        }
        guard stopTexts.count <= Self.stopTextsMax else {
            throw .tooManyStopTexts(count: stopTexts.count, countMax: Self.stopTextsMax)
        }
        for (index, text) in stopTexts.enumerated() {
            guard (1...Self.stopTextBytesMax).contains(text.utf8.count) else {
                throw .stopText(
                    index: index, bytes: text.utf8.count, bytesMax: Self.stopTextBytesMax)
            }
        }
        if let top = topLogProbabilities, !(0...Self.topLogProbabilitiesMax).contains(top) {
            throw .topLogProbabilities(top, topMax: Self.topLogProbabilitiesMax)
        }
        guard !input.ids.isEmpty else { throw .emptyPrompt }
        let rows = input.imageRows.map(\.count)
        guard rows == input.images.map(\.tokenCount) else {
            throw .imageRows(images: input.images.map(\.tokenCount), places: rows)
        }
    }
}

/// An adapter, and what tells it from others.
package struct RequestAdapter: Sendable {
    /// The same for the same adapter: its digest.
    package let name: String
    package let terms: BoundAdapter

    package init(name: String, terms: BoundAdapter) { (self.name, self.terms) = (name, terms) }
}

/// Why an answer ended.
package enum FinishReason: String, Sendable, Hashable {
    /// A token that ends answers.
    case stop
    /// A text that ends answers.
    case stopText = "stop_text"
    /// As many tokens as were asked for, or as the model has places for.
    case length
    /// Nobody wants it any more.
    case cancelled
    /// The model gave no number above −∞ for any token.
    case failed
}

/// One answer.
package struct GenerationResult: Sendable {
    /// All tokens, one that ended the answer among them.
    package var ids: [Int32] = []
    /// Without stop tokens, special tokens and stop texts.
    package var text = ""
    package var finish = FinishReason.cancelled
    /// Of each token, if asked for.
    package var logProbabilities: [TokenLogProbability] = []
    package var usage: TokenUsage

    package init(usage: TokenUsage) { self.usage = usage }
}

/// What an answer took.
package struct TokenUsage: Sendable, Hashable {
    /// Tokens of the prompt that are no image's.
    package var textTokens: Int
    /// Rows of the prompt that images became.
    package var imageTokens: Int
    /// Tokens of the answer.
    package var answerTokens: Int

    init(_ input: ModelInput) {
        imageTokens = input.imageRows.reduce(0) { $0 + $1.count }
        textTokens = input.ids.count - imageTokens
        answerTokens = 0
    }
}

/// How likely a token was, before any rule of sampling.
package struct TokenLogProbability: Sendable, Hashable {
    package let token: Int32
    /// Natural logarithm.
    package let logProbability: Double
    /// The likeliest tokens, the likeliest first, as many as were asked for.
    package let top: [Candidate]

    /// A token that could have come.
    package struct Candidate: Sendable, Hashable {
        package let token: Int32
        /// Natural logarithm.
        package let logProbability: Double
    }

    /// - Parameters:
    ///   - logits: of all tokens
    ///   - top: how many candidates to keep
    init(of token: Int32, in logits: [Float], top count: Int) {
        let largest = Double(logits.max() ?? 0)
        let sum = logits.reduce(0.0) { $0 + exp(Double($1) - largest) }
        let shift = largest + log(sum)
        self.token = token
        logProbability = Double(logits[Int(token)]) - shift
        let first = logits.indices.largest(count) {
            logits[$0] == logits[$1] ? $0 < $1 : logits[$0] > logits[$1]
        }
        top = first.map {
            Candidate(token: Int32($0), logProbability: Double(logits[$0]) - shift)
        }
    }
}
