import Base
import Messages
import Text

/// A policy as a JSON file holds it: the fields of the contract by their names.
///
///     {"use_preset": true, "steps": [{"probability": 0.5, "rotate": {"degrees_max": 15}}]}
struct PolicyFile {
    let path: String

    /// Reads a file.
    func read() throws(ImportError) -> AugmentationPolicy {
        switch SmallFile.read(path, bytesMax: Limits.schemaBytesMax) {
        case .success(let bytes): return try policy(bytes)
        case .failure(let error): throw .unreadable(path, why: error.words)
        }
    }

    private func policy(_ bytes: Bytes) throws(ImportError) -> AugmentationPolicy {
        let document: JSONDocument
        do throws(JSONError) {
            document = try JSONDocument(bytes)
        } catch {
            throw .malformed(path, why: "no JSON at byte \(error.offset): \(error.why)")
        }
        var policy = AugmentationPolicy()
        for (key, value) in try members(document.root, "the policy") {
            switch key {
            case "use_preset": policy.usePreset = try truth(value, key)
            case "untouched_share": policy.untouchedShare = try number(value, key)
            case "steps":
                for element in value.elements { policy.steps.append(try step(element)) }
            default: throw unknown(key, "use_preset, untouched_share, steps")
            }
        }
        return policy
    }

    private func step(_ node: JSONNode) throws(ImportError) -> AugmentationStep {
        var step = AugmentationStep()
        for (key, value) in try members(node, "a step") {
            if key == "probability" {
                step.probability = try number(value, key)
            } else if step.transform == nil {
                step.transform = try transform(key, value)
            } else {
                throw .malformed(path, why: "a step holds one transform; \(key) is another")
            }
        }
        return step
    }

    private func transform(
        _ name: String, _ node: JSONNode
    ) throws(ImportError) -> AugmentationStep.Transform {
        var values: [String: JSONNode] = [:]
        for (key, value) in try members(node, name) { values[key] = value }
        let made: AugmentationStep.Transform
        switch name {
        case "rotate": made = .rotate(try rotation(&values))
        case "flip":
            made = .flip(
                try truths(
                    FlipTransform(), &values,
                    [
                        ("horizontal", \.horizontal), ("vertical", \.vertical),
                    ]))
        case "crop":
            made = .crop(
                try numbers(
                    CropTransform(), &values,
                    [
                        ("area_share_min", \.areaShareMin),
                        ("aspect_factor_max", \.aspectFactorMax),
                    ]))
        case "brightness":
            made = .brightness(
                try numbers(
                    BrightnessTransform(), &values,
                    [
                        ("factor_min", \.factorMin), ("factor_max", \.factorMax),
                    ]))
        case "contrast":
            made = .contrast(
                try numbers(
                    ContrastTransform(), &values,
                    [
                        ("factor_min", \.factorMin), ("factor_max", \.factorMax),
                    ]))
        case "color":
            made = .color(
                try numbers(
                    ColorTransform(), &values,
                    [
                        ("saturation_min", \.saturationMin), ("saturation_max", \.saturationMax),
                        ("hue_degrees_max", \.hueDegreesMax),
                    ]))
        default: made = try wear(name, &values)
        }
        if let left = values.keys.min() { throw unknown("\(name).\(left)", "those of \(name)") }
        return made
    }

    /// Transforms that take quality away, and slants.
    private func wear(
        _ name: String, _ values: inout [String: JSONNode]
    ) throws(ImportError) -> AugmentationStep.Transform {
        switch name {
        case "resolution":
            return .resolution(
                try numbers(
                    ResolutionTransform(), &values,
                    [
                        ("scale_min", \.scaleMin)
                    ]))
        case "blur":
            return .blur(
                try numbers(
                    BlurTransform(), &values,
                    [
                        ("sigma_pixels_max", \.sigmaPixelsMax)
                    ]))
        case "sensor_noise":
            return .sensorNoise(
                try numbers(
                    SensorNoiseTransform(), &values,
                    [
                        ("read_levels_max", \.readLevelsMax), ("shot_levels_max", \.shotLevelsMax),
                    ]))
        case "jpeg":
            var jpeg = JpegTransform()
            jpeg.qualityMin = try whole("quality_min", &values) ?? 0
            jpeg.qualityMax = try whole("quality_max", &values) ?? 0
            return .jpeg(jpeg)
        case "perspective":
            return .perspective(
                try numbers(
                    PerspectiveTransform(), &values,
                    [
                        ("corner_share_max", \.cornerShareMax)
                    ]))
        default:
            throw unknown(
                name,
                "rotate, flip, crop, brightness, contrast, color, resolution, blur,"
                    + " sensor_noise, jpeg, perspective")
        }
    }

    private func rotation(
        _ values: inout [String: JSONNode]
    ) throws(ImportError) -> RotateTransform {
        var turn = try numbers(RotateTransform(), &values, [("degrees_max", \.degreesMax)])
        turn.stepDegrees = try whole("step_degrees", &values) ?? 0
        turn.fillRgb = try whole("fill_rgb", &values)
        return turn
    }

    private func numbers<Message>(
        _ message: Message, _ values: inout [String: JSONNode],
        _ fields: [(String, WritableKeyPath<Message, Double>)]
    ) throws(ImportError) -> Message {
        var message = message
        for (name, field) in fields {
            guard let node = values.removeValue(forKey: name) else { continue }
            message[keyPath: field] = try number(node, name)
        }
        return message
    }

    private func truths<Message>(
        _ message: Message, _ values: inout [String: JSONNode],
        _ fields: [(String, WritableKeyPath<Message, Bool>)]
    ) throws(ImportError) -> Message {
        var message = message
        for (name, field) in fields {
            guard let node = values.removeValue(forKey: name) else { continue }
            message[keyPath: field] = try truth(node, name)
        }
        return message
    }

    private func whole(
        _ name: String, _ values: inout [String: JSONNode]
    ) throws(ImportError) -> UInt32? {
        guard let node = values.removeValue(forKey: name) else { return nil }
        guard let value = node.int.flatMap({ UInt32(exactly: $0) }) else {
            throw .malformed(path, why: "\(name) is no whole number from 0 on: \(node.sample)")
        }
        return value
    }

    private func members(
        _ node: JSONNode, _ what: String
    ) throws(ImportError) -> [(String, JSONNode)] {
        guard node.isObject else {
            throw .malformed(path, why: "\(what) is no object but \(node.sample)")
        }
        return node.members.map { ($0.key.string ?? "", $0.value) }
    }

    private func number(_ node: JSONNode, _ name: String) throws(ImportError) -> Double {
        guard let value = node.double else {
            throw .malformed(path, why: "\(name) is no number: \(node.sample)")
        }
        return value
    }

    private func truth(_ node: JSONNode, _ name: String) throws(ImportError) -> Bool {
        guard let value = node.bool else {
            throw .malformed(path, why: "\(name) is neither true nor false: \(node.sample)")
        }
        return value
    }

    private func unknown(_ key: String, _ allowed: String) -> ImportError {
        .malformed(path, why: "there is no field \(key); allowed are \(allowed)")
    }
}
