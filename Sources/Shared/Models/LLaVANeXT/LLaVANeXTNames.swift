/// What LLaVA-NeXT's tensors are called in transformers' memory, whatever the layout they are
/// stored in: the hub's of transformers 4, what transformers 5 saves, what is in memory, or the
/// original LLaVA's.
enum LLaVANeXTNames {
    private static let prefixes = [
        ("language_model.model.", "language_model."),
        ("vision_tower.vision_tower.vision_model.", "vision_tower."),
        ("vision_tower.vision_model.", "vision_tower."),
        ("layers.", "language_model.layers."),
        ("embed_tokens.", "language_model.embed_tokens."),
        ("norm.", "language_model.norm."),
        ("mm_projector.0.", "multi_modal_projector.linear_1."),
        ("mm_projector.2.", "multi_modal_projector.linear_2."),
    ]

    /// nil for tensors that models make themselves.
    static func name(_ stored: String) -> String? {
        if stored.hasSuffix(".position_ids") || stored.hasSuffix("rotary_emb.inv_freq") {
            return nil
        }
        let rest = stored.hasPrefix("model.") ? String(stored.dropFirst(6)) : stored
        for head in ["language_model.lm_head", "lm_head"] where rest.hasPrefix(head) {
            return "lm_head" + rest.dropFirst(head.count)
        }
        for (old, new) in prefixes where rest.hasPrefix(old) {
            return "model." + new + rest.dropFirst(old.count)
        }
        return "model." + rest
    }
}
