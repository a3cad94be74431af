import Base
import Images
import Messages
import Quality
import Resources

/// What a dataset must be like, and the values of what it leaves open.
struct DatasetRules {
    /// Checks a dataset as a client sent it; every message names the field.
    static func check(_ dataset: Dataset) throws(DatasetError) {
        guard dataset.task != .unspecified else { throw .required(field: "dataset.task") }
        try choice("dataset.task", dataset.task.isKnown, dataset.task.description)
        try choice("dataset.domain", dataset.domain.isKnown, dataset.domain.description)
        try FieldRules.size(
            "dataset.display_name", dataset.displayName, ResourceLimits.displayNameBytesMax)
        try FieldRules.size("dataset.description", dataset.description, Limits.descriptionBytesMax)
        try FieldRules.size("dataset.default_prompt", dataset.defaultPrompt, Limits.textBytesMax)
        try FieldRules.size(
            "dataset.default_system_text", dataset.defaultSystemText, Limits.textBytesMax)
        try FieldRules.range(
            "dataset.annotators_per_row", Int(dataset.annotatorsPerRow), 0...Limits.annotatorsMax)
        if let score = dataset.targetScore, !(0...1).contains(score) {
            throw .invalid(
                field: "dataset.target_score", seen: "\(score)", allowed: "0 to 1 is allowed")
        }
        try schema(dataset.answerSchema ?? Messages.AnswerSchema(), task: dataset.task)
        try names(dataset)
        try quotas(dataset.tagQuotas)
        try images(dataset.imageLimits ?? Messages.ImageLimits())
    }

    /// The values of what was left open on creation.
    static func completed(_ dataset: Dataset) -> Dataset {
        var dataset = dataset
        if dataset.annotatorsPerRow == 0 {
            dataset.annotatorsPerRow = UInt32(Limits.annotatorsStandard)
        }
        // The server's own fields are never taken from a client.
        (dataset.name, dataset.etag, dataset.latestVersion) = ("", "", "")
        (dataset.createTime, dataset.updateTime, dataset.guidelinesContent) = (nil, nil, nil)
        (dataset.exampleCount, dataset.imageCount, dataset.storedBytes) = (0, 0, 0)
        (dataset.guidelines, dataset.schemaRevision) = ("", 0)
        dataset.augmentationPolicy = nil
        return dataset
    }

    private static func choice(
        _ field: String, _ isKnown: Bool, _ seen: String
    ) throws(DatasetError) {
        guard isKnown else {
            throw .invalid(field: field, seen: seen, allowed: "a value of the contract is allowed")
        }
    }

    private static func schema(
        _ schema: Messages.AnswerSchema, task: AnswerTask
    ) throws(DatasetError) {
        let field = "dataset.answer_schema"
        try FieldRules.size("\(field).json_schema", schema.jsonSchema, Limits.schemaBytesMax)
        try jsonSchema(schema.jsonSchema, "\(field).json_schema", task: task)
        guard task == .classification else {
            guard schema.classes.isEmpty else {
                throw .fieldsConflict(
                    "only a classification has classes; this one has \(schema.classes.count)",
                    fields: ["dataset.task", "\(field).classes"])
            }
            return
        }
        try FieldRules.range(
            "\(field).classes (their number)", schema.classes.count,
            Limits.classesMin...Limits.classesMax)
        var seen = Set<String>()
        for (index, item) in schema.classes.enumerated() {
            let path = "\(field).classes[\(index)].name"
            guard !item.name.isEmpty else { throw .required(field: path) }
            try FieldRules.size(path, item.name, Limits.classBytesMax)
            guard seen.insert(item.name).inserted else {
                throw .invalid(field: path, seen: item.name, allowed: "each name is allowed once")
            }
        }
    }

    private static func jsonSchema(
        _ text: String, _ field: String, task: AnswerTask
    ) throws(DatasetError) {
        guard !text.isEmpty else { return }
        guard task == .extraction || task == .reasoning else {
            throw .fieldsConflict(
                "only extraction and reasoning have a JSON schema", fields: ["dataset.task", field])
        }
        do throws(SchemaError) {
            _ = try Quality.AnswerSchema(text)
        } catch {
            throw .invalid(field: field, seen: text, allowed: error.message)
        }
    }

    private static func names(_ dataset: Dataset) throws(DatasetError) {
        try FieldRules.range(
            "dataset.group_keys (their number)", dataset.groupKeys.count, 0...Limits.groupKeysMax)
        for (index, key) in dataset.groupKeys.enumerated() {
            try FieldRules.word("dataset.group_keys[\(index)]", key)
        }
        try FieldRules.labels("dataset.labels", dataset.labels)
    }

    private static func quotas(_ quotas: [Messages.TagQuota]) throws(DatasetError) {
        for (index, quota) in quotas.enumerated() {
            let path = "dataset.tag_quotas[\(index)]"
            guard !quota.tag.isEmpty else { throw .required(field: "\(path).tag") }
            try FieldRules.range(
                "\(path).share_basis_points_min", Int(quota.shareBasisPointsMin), 0...10_000)
            try FieldRules.range(
                "\(path).share_basis_points_max", Int(quota.shareBasisPointsMax), 0...10_000)
        }
    }

    private static func images(_ limits: Messages.ImageLimits) throws(DatasetError) {
        let path = "dataset.image_limits"
        try FieldRules.range("\(path).images_per_row_max", Int(limits.imagesPerRowMax), 0...64)
        try FieldRules.range(
            "\(path).side_pixels_max", Int(limits.sidePixelsMax), 0...Limits.imageSideMax)
        let area = Int(clamping: limits.areaPixelsMax)
        try FieldRules.range("\(path).area_pixels_max", area, 0...Limits.imageAreaMax)
        let bytes = Int(clamping: limits.encodedBytesMax)
        try FieldRules.range("\(path).encoded_bytes_max", bytes, 0...Limits.imageBytesMax)
    }
}

extension Messages.ImageLimits {
    var sideMin: Int { sidePixelsMin == 0 ? Limits.imageSideMin : Int(sidePixelsMin) }
    var imagesMax: Int { imagesPerRowMax == 0 ? Limits.imagesPerRowMax : Int(imagesPerRowMax) }

    /// What decoding may cost. Animations are refused: which frame the answer is about is unknown.
    var decoding: Images.ImageLimits {
        Images.ImageLimits(
            bytesMax: encodedBytesMax == 0 ? Limits.imageBytesMax : Int(encodedBytesMax),
            pixelsMax: areaPixelsMax == 0 ? Limits.imageAreaMax : Int(areaPixelsMax),
            sideMax: sidePixelsMax == 0 ? Limits.imageSideMax : Int(sidePixelsMax),
            framesMax: 1)
    }
}
