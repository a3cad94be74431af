import Layers

/// What a tensor of PEFT's files stands for, whatever version wrote it.
struct AdapterNames {
    /// In front of every module's path.
    static let prefix = "base_model.model."

    /// A part of an adapter.
    enum Part: Hashable {
        case down, up
        /// A parameter of the model as a whole.
        case whole
    }

    let part: Part
    /// The module's path, or the parameter's name, in transformers' memory.
    let name: String
    /// As the library had it that wrote the file.
    let storedName: String

    /// - Parameter naming: what a stored tensor is called in transformers' memory
    /// - Returns: nil where it stands for nothing that is known
    init?(_ tensor: String, naming: (String) -> String?) {
        var rest = Substring(tensor)
        if rest.hasPrefix(Self.prefix) { rest = rest.dropFirst(Self.prefix.count) }
        if let (path, part) = Self.term(rest) {
            guard let name = naming(path + ".weight"), name.hasSuffix(".weight") else {
                return nil
            }
            self.init(part: part, name: String(name.dropLast(7)), storedName: path)
            return
        }
        let parameter = Self.unwrapped(rest)
        guard let name = naming(parameter) else { return nil }
        self.init(part: .whole, name: name, storedName: parameter)
    }

    private init(part: Part, name: String, storedName: String) {
        (self.part, self.name, self.storedName) = (part, name, storedName)
    }

    /// The module and part of `path.lora_A.weight`, or with the adapter's name before the last dot.
    private static func term(_ name: Substring) -> (path: String, part: Part)? {
        guard name.hasSuffix(".weight") else { return nil }
        let parts = name.dropLast(7).split(separator: ".", omittingEmptySubsequences: false)
        for count in 1...2 where parts.count > count {
            let path = parts.dropLast(count).joined(separator: ".")
            switch parts[parts.count - count] {
            case "lora_A": return (path, .down)
            case "lora_B": return (path, .up)
            default: continue
            }
        }
        return nil
    }

    /// A parameter's name without the wrappers that PEFT's memory has around a module.
    private static func unwrapped(_ name: Substring) -> String {
        var parts = name.split(separator: ".", omittingEmptySubsequences: false)
        if let index = parts.firstIndex(of: "modules_to_save") {
            // The adapter's name may follow; a parameter has one part behind it.
            parts.removeSubrange(index..<max(index + 1, min(index + 2, parts.count - 1)))
        }
        parts.removeAll { $0 == "base_layer" }
        return parts.joined(separator: ".")
    }
}
