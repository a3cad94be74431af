import Layers
package import Models
import Numerics
import TensorFiles
import Text

/// What a recipe is checked against: the layers of a model without their numbers.
package struct ModelOutline: Sendable, Hashable {
    /// A linear layer.
    package struct Layer: Sendable, Hashable {
        package let path: String
        /// Width of what flows in.
        package let width: Int
        /// Width of what flows out.
        package let outWidth: Int
        /// Whether it stands for a convolution.
        package let isConvolution: Bool
        package let part: ModelPart

        /// - Parameters:
        ///   - path: its module's name in transformers' memory
        ///   - stored: the shape of its weight in files
        package init(path: String, stored: [Int]) {
            self.path = path
            outWidth = stored.first ?? 0
            width = stored.dropFirst().reduce(1, *)
            isConvolution = stored.count != 2
            part = ModelPart(of: path)
        }
    }

    /// A parameter.
    package struct Parameter: Sendable, Hashable {
        package let name: String
        package let count: Int
        package let part: ModelPart

        /// - Parameters:
        ///   - name: in transformers' memory
        ///   - count: of its elements
        package init(name: String, count: Int) {
            (self.name, self.count, part) = (name, count, ModelPart(of: name))
        }
    }

    package let layers: [Layer]
    package let parameters: [Parameter]
    /// The longest conversation it takes, in tokens.
    package let lengthMax: Int
    /// Whether it knows a token that stands for images.
    package let takesImages: Bool

    /// - Parameters:
    ///   - layers: its linear layers
    ///   - parameters: weights of linear layers among them
    ///   - lengthMax: in tokens
    ///   - takesImages: whether its tokenizer has a token for images
    package init(
        layers: [Layer], parameters: [Parameter], lengthMax: Int, takesImages: Bool
    ) {
        (self.layers, self.parameters) = (layers, parameters)
        (self.lengthMax, self.takesImages) = (lengthMax, takesImages)
    }

    /// The outline of a model that is in memory.
    package init(_ model: LoadedModel) {
        let chat = model.inputs.chat
        self.init(
            layers: model.linears.map { Layer(path: $0.path, stored: $0.stored.extents) },
            parameters: model.parameters.map {
                Parameter(name: $0.name, count: $0.shape.count)
            },
            lengthMax: model.model.decoder.config.lengthMax,
            takesImages: chat.tokenizer.id(of: chat.format.image.token) != nil)
    }

    /// The outline of a model in a folder: headers of files are read and no weights, so that a
    /// model larger than this machine has one too. Checkpoints that store packed weights have to
    /// be loaded for theirs.
    /// - Parameter folder: with `config.json`, safetensors files and a tokenizer
    package init(folder: String) throws(ModelError) {
        let config = try ModelFiles(folder).config()
        let family = try ModelFamily.of(config)
        let chat = try InputEncoder(folder: folder).chat
        let tensors = try Self.tensors(in: folder)
        var (layers, parameters) = ([Layer](), [Parameter]())
        for tensor in tensors {
            guard let name = family.name(tensor.name) else { continue }
            let count = tensor.shape.reduce(1, *)
            parameters.append(Parameter(name: name, count: count))
            guard name.hasSuffix(".weight"), tensor.shape.count > 1, !Self.isTable(name) else {
                continue
            }
            layers.append(Layer(path: String(name.dropLast(7)), stored: tensor.shape))
        }
        let text = config.object("text_config") ?? config
        let length = try text.count("max_position_embeddings", or: 4096)
        let hasWindow = text["sliding_window"] != nil
        let window = hasWindow ? try text.count("sliding_window", or: length) : length
        self.init(
            layers: layers, parameters: parameters,
            lengthMax: min(length, window),
            takesImages: chat.tokenizer.id(of: chat.format.image.token) != nil)
    }

    private static func tensors(in folder: String) throws(ModelError) -> [StoredTensor] {
        do throws(TensorFileError) {
            return try Checkpoint(folder: folder).tensors
        } catch {
            throw .weights(.file(error))
        }
    }

    /// Whether a weight is looked up by row instead of multiplied with.
    private static func isTable(_ name: String) -> Bool {
        ["embed_tokens", "position_embedding", "tok_embeddings"].contains {
            name.hasSuffix(".\($0).weight")
        }
    }

    /// Elements of all parameters.
    package var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

    /// The linear layers that a recipe puts adapters beside, each with its rank.
    package func adapted(by recipe: TrainingRecipe) -> [(layer: Layer, rank: Int)] {
        guard recipe.method != .full else { return [] }
        return layers.compactMap { layer in
            let tuning = recipe.tuning(of: layer.part)
            guard !tuning.isFrozen, !tuning.isWhole, layer.isTarget(of: tuning) else { return nil }
            return (layer, tuning.rank ?? recipe.adapter.rank)
        }
    }

    /// Elements that training changes.
    package func trainedCount(_ recipe: TrainingRecipe) -> Int {
        let wholes = parameters.reduce(0) {
            $0 + (recipe.trainsWhole($1.part) ? $1.count : 0)
        }
        return adapted(by: recipe).reduce(wholes) { sum, target in
            sum + target.rank * (target.layer.width + target.layer.outWidth)
        }
    }
}

extension ModelOutline.Layer {
    /// The ends of the names of layers that get adapters where nobody says which.
    static let standardTargets = [
        "q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "qkv", "proj", "wqkv", "wo",
    ]

    /// Whether one of the targets, or an attention's layer where there are none, ends its path.
    func isTarget(of tuning: PartTuning) -> Bool {
        let targets = tuning.targets.isEmpty ? Self.standardTargets : tuning.targets
        return targets.contains { ends(with: $0) }
    }

    /// Whether its path is a name or ends in it from a dot on.
    func ends(with name: String) -> Bool { path == name || path.hasSuffix("." + name) }
}
