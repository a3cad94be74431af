package import Models
package import Numerics
package import Text

/// What a model's folder says about answering: `generation_config.json`, and the roles of tokens.
package struct GenerationDefaults: Sendable {
    /// Greedy unless the folder asks for sampling.
    package var rules: SamplingRules
    /// Tokens that end an answer.
    package var stopTokens: Set<Int32>

    /// - Parameters:
    ///   - folder: of the model
    ///   - tokenizer: of the same folder
    package init(folder: String, _ tokenizer: Tokenizer) throws(ModelError) {
        let files = ModelFiles(folder)
        let own = try files.json("generation_config.json")
        let config = try files.config()
        rules = if let own { try Self.rules(own) } else { .greedy }
        stopTokens = []
        for reader in [own, config, config.object("text_config")].compactMap({ $0 }) {
            guard let tokens = try reader.tokens("eos_token_id") else { continue }
            stopTokens = Set(tokens)
            break
        }
        if let end = tokenizer.roles.end.flatMap(tokenizer.id(of:)) { stopTokens.insert(end) }
    }

    private static func rules(_ reader: ConfigReader) throws(ModelError) -> SamplingRules {
        let penalty = Float(try reader.number("repetition_penalty", or: 1))
        let isSampling = try reader.flag("do_sample", or: false)
        do {
            guard isSampling else {
                return try SamplingRules(temperature: 0, repetitionPenalty: penalty)
            }
            // What transformers takes where the file says nothing.
            let topK = try reader.integer("top_k", or: 50)
            let topP = try reader.number("top_p", or: 1)
            return try SamplingRules(
                temperature: Float(try reader.number("temperature", or: 1)),
                topK: topK > 0 ? topK : nil, topP: topP < 1 ? Float(topP) : nil,
                minP: reader["min_p"] == nil ? nil : Float(try reader.number("min_p")),
                repetitionPenalty: penalty)
        } catch let error as SamplingRulesError {
            throw .badConfig(
                field: "generation_config.json", seen: error.message, allowed: "values as said")
        } catch let error as ModelError {
            throw error
        } catch {
            preconditionFailure("generation settings: \(error)")
        }
    }
}

extension ConfigReader {
    /// A token or a list of tokens; nil where there is none.
    fileprivate func tokens(_ name: String) throws(ModelError) -> [Int32]? {
        guard let value = self[name] else { return nil }
        let nodes = value.isArray ? Array(value.elements) : [value]
        let tokens = nodes.compactMap { $0.int.flatMap { Int32(exactly: $0) } }
        guard tokens.count == nodes.count else {
            throw bad(name, value, "a token or a list of tokens")
        }
        return tokens
    }
}
