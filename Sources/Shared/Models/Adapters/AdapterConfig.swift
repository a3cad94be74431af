package import Base
import Text

extension AdapterSpec {
    /// Reads `adapter_config.json`.
    init(_ config: ConfigReader) throws(AdapterError) {
        do {
            try self.init(reading: config)
        } catch let error as AdapterError {
            throw error
        } catch let error as ModelError {
            throw .config(error)
        } catch {
            preconditionFailure("adapter config: \(error)")
        }
        try check()
    }

    private init(reading config: ConfigReader) throws {
        try Self.checkFeatures(config)
        guard let targets = try config.targets("target_modules") ?? config.wholeOnly() else {
            throw config.bad(
                "target_modules", config["target_modules"],
                "a list of names, a regular expression or all-linear")
        }
        self.init(targets: targets)
        rank = try config.count("r", or: 8, max: Self.rankMax)
        alpha = try config.number("lora_alpha", or: 8)
        dropout = Float(try config.number("lora_dropout", or: 0))
        excluded = try config.targets("exclude_modules")
        layers = try config.layers()
        ranks = try config.rules("rank_pattern") { $0.int }
        alphas = try config.rules("alpha_pattern") { $0.double }
        isRankStabilised = try config.flag("use_rslora", or: false)
        wholeModules = try config.names("modules_to_save") ?? []
        baseName = try config.text("base_model_name_or_path", or: "")
    }

    /// Fields that are read, and those that mean nothing once an adapter is trained.
    private static let known: Set = [
        "alpha_pattern", "auto_mapping", "base_model_name_or_path", "bias", "eva_config",
        "exclude_modules", "inference_mode", "init_lora_weights", "layers_pattern",
        "layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "megatron_core",
        "modules_to_save", "peft_type", "peft_version", "qalora_group_size", "r",
        "rank_pattern", "revision", "target_modules", "task_type", "use_rslora",
    ]

    /// Initialisations that leave the base as it is; others train against a changed one.
    private static let inits: Set = ["gaussian", "eva", "orthogonal"]

    /// Refuses what would make the adapter mean something else than is computed here. That
    /// includes fields of versions to come, unless they are switched off.
    private static func checkFeatures(_ config: ConfigReader) throws {
        let type = try config.text("peft_type", or: "LORA")
        guard type == "LORA" else {
            throw AdapterError.unsupported(field: "peft_type", seen: type, allowed: "LORA")
        }
        let bias = try config.text("bias", or: "none")
        guard bias == "none" else {
            throw AdapterError.unsupported(field: "bias", seen: bias, allowed: "none")
        }
        if let start = config["init_lora_weights"], start.bool == nil,
            !inits.contains(start.string ?? "")
        {
            throw AdapterError.unsupported(
                field: "init_lora_weights", seen: start.sample,
                allowed: "true, false, " + inits.sorted().joined(separator: ", "))
        }
        for (key, value) in config.node.members {
            let key = key.string ?? ""
            let isOff =
                value.isNull || value.bool == false
                || (value.isArray || value.isObject) && value.count == 0
            guard isOff || known.contains(key) else {
                throw AdapterError.unsupported(
                    field: key, seen: value.sample, allowed: "null, false or empty")
            }
        }
    }
}

extension ConfigReader {
    /// A list of names, or one that stands alone.
    fileprivate func names(_ name: String) throws(ModelError) -> [String]? {
        guard let value = self[name] else { return nil }
        if let one = value.string { return [one] }
        let names = value.elements.compactMap(\.string)
        guard value.isArray, names.count == value.count, names.allSatisfy({ !$0.isEmpty }) else {
            throw bad(name, value, "a list of names")
        }
        return names
    }

    fileprivate func targets(_ name: String) throws(ModelError) -> AdapterTargets? {
        guard let value = self[name] else { return nil }
        if let text = value.string {
            return text.lowercased() == "all-linear" ? .allLinear : .pattern(text)
        }
        return try names(name).flatMap { $0.isEmpty ? nil : .names($0) }
    }

    /// An adapter may hold nothing but whole modules.
    fileprivate func wholeOnly() throws(ModelError) -> AdapterTargets? {
        try names("modules_to_save") == nil ? nil : .names([])
    }

    fileprivate func layers() throws(ModelError) -> AdapterLayers? {
        guard let value = self["layers_to_transform"] else { return nil }
        let numbers = value.int.map { [$0] } ?? value.elements.compactMap(\.int)
        guard value.int != nil || value.isArray && numbers.count == value.count else {
            throw bad("layers_to_transform", value, "a list of whole numbers")
        }
        guard !numbers.isEmpty else { return nil }
        return AdapterLayers(numbers, lists: try names("layers_pattern") ?? [])
    }

    fileprivate func rules<Number>(
        _ name: String, _ number: (JSONNode) -> Number?
    ) throws(ModelError) -> [AdapterRule<Number>] {
        guard let value = self[name] else { return [] }
        var rules: [AdapterRule<Number>] = []
        for (key, value) in value.members {
            guard let pattern = key.string, let number = number(value) else {
                throw bad("\(name).\(key.string ?? "")", value, "a number")
            }
            rules.append(AdapterRule(pattern, number))
        }
        guard value.isObject else { throw bad(name, value, "an object of patterns") }
        return rules
    }
}

extension AdapterSpec {
    /// `adapter_config.json` as PEFT reads it, of fields that its versions since 0.8 know.
    package func json() -> Bytes {
        var json = JSONText()
        json.object { json in
            json.member("alpha_pattern", alphas) { json, alpha in json.value(alpha) }
            json.member("base_model_name_or_path", textOrNull: baseName)
            json.member("bias", "none")
            if let excluded { json.member("exclude_modules", excluded) }
            json.member("fan_in_fan_out", false)
            json.member("inference_mode", true)
            json.member("init_lora_weights", true)
            json.member("layers_pattern", layers.map(\.lists)) { json, list in json.value(list) }
            json.member("layers_to_transform", layers.map(\.numbers)) { json, number in
                json.value(number)
            }
            json.member("lora_alpha", alpha)
            // Through its decimal text: 0.05 stays 0.05.
            json.member("lora_dropout", Double("\(dropout)") ?? 0)
            json.member("modules_to_save", wholeModules.isEmpty ? nil : wholeModules) {
                json, name in json.value(name)
            }
            json.member("peft_type", "LORA")
            json.member("r", rank)
            json.member("rank_pattern", ranks) { json, rank in json.value(rank) }
            json.member("revision", textOrNull: nil)
            json.member("target_modules", targets)
            json.member("task_type", textOrNull: nil)
            json.member("use_rslora", isRankStabilised)
        }
        json.newline()
        return Bytes(json.utf8)
    }
}

extension JSONText {
    fileprivate mutating func member(_ name: String, textOrNull text: String?) {
        key(name)
        if let text { value(text) } else { null() }
    }

    fileprivate mutating func member<Element>(
        _ name: String, _ list: [Element]?, _ write: (inout JSONText, Element) -> Void
    ) {
        key(name)
        guard let list, !list.isEmpty else { return null() }
        array { json in for element in list { write(&json, element) } }
    }

    fileprivate mutating func member<Number>(
        _ name: String, _ rules: [AdapterRule<Number>],
        _ write: (inout JSONText, Number) -> Void
    ) {
        key(name)
        object { json in
            for rule in rules {
                json.key(rule.pattern)
                write(&json, rule.number)
            }
        }
    }

    fileprivate mutating func member(_ name: String, _ targets: AdapterTargets) {
        key(name)
        switch targets {
        case .allLinear: value("all-linear")
        case .pattern(let pattern): value(pattern)
        case .names(let names): array { json in for name in names { json.value(name) } }
        }
    }
}
