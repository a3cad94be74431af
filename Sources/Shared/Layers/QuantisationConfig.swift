import Foundation

/// What `quantization_config` in a model's `config.json` says, as far as the tensors do not.
///
/// Which layout a module has shows in the names, types and shapes of its tensors, so lists of
/// modules that are left out (`modules_to_not_convert`, `ignore`) are not needed.
package struct QuantisationConfig: Sendable, Hashable, Decodable {
    /// Who quantised: `bitsandbytes`, `gptq`, `awq` or `compressed-tensors`.
    package let method: String
    /// Bits of a weight (GPTQ and AWQ).
    package let bits: Int?
    /// GPTQ's `checkpoint_format`: `gptq`, where zero points are stored less one, or `gptq_v2`.
    package let checkpointFormat: String?
    /// AWQ's `version`: how its words are laid out.
    package let version: String?
    /// `config_groups` of compressed-tensors by name.
    package let groups: [String: Group]?

    /// Modules that are quantised alike.
    package struct Group: Sendable, Hashable, Decodable {
        /// nil where only activations are quantised.
        package let weights: Weights?
    }

    /// How weights of a group are quantised.
    package struct Weights: Sendable, Hashable, Decodable {
        /// `int` or `float`.
        package let type: String?
        package let bits: Int?

        private enum CodingKeys: String, CodingKey {
            case type
            case bits = "num_bits"
        }
    }

    private enum CodingKeys: String, CodingKey {
        case method = "quant_method"
        case bits, version
        case checkpointFormat = "checkpoint_format"
        case groups = "config_groups"
    }

    /// Reads the JSON text of the object.
    package init(json: [UInt8]) throws(QuantisedTensorError) {
        do {
            self = try JSONDecoder().decode(QuantisationConfig.self, from: Data(json))
        } catch {
            throw .config
        }
    }
}
