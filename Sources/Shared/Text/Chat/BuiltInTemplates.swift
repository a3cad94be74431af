/// The templates of families whose checkpoints ship none, as Jinja like all others.
enum BuiltInTemplates {
    /// LLaVA on Vicuna. The system text stands bare.
    static let vicuna = """
        {% for message in messages %}{% if message['role'] != 'system' %}\
        {{ message['role'].upper() + ': ' }}{% endif %}\
        {% for content in message['content'] | selectattr('type', 'equalto', 'image') %}\
        {{ '<image>\\n' }}{% endfor %}\
        {% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
        {{ content['text'] + ' ' }}{% endfor %}{% endfor %}\
        {% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}
        """

    /// LLaVA on Mistral.
    static let mistral = """
        {% for message in messages %}{% if message['role'] == 'system' %}\
        {{ '<<SYS>>\\n' + message['content'][0]['text'] + '\\n<</SYS>>\\n\\n' }}\
        {% elif message['role'] == 'user' %}{{ '[INST] ' }}\
        {% for content in message['content'] | selectattr('type', 'equalto', 'image') %}\
        {{ '<image>\\n' }}{% endfor %}\
        {% for content in message['content'] | selectattr('type', 'equalto', 'text') %}\
        {{ content['text'] }}{% endfor %}{{ ' [/INST]' }}\
        {% else %}{{ ' ' + message['content'][0]['text'] + '</s> ' }}{% endif %}{% endfor %}
        """

    /// ChatML with a place for each image; `image` is what marks it.
    static let chatML = """
        {% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}\
        {% for content in message['content'] %}{% if content['type'] == 'image' %}{{ image }}\
        {% else %}{{ content['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """

    /// Qwen2-VL and Qwen2.5-VL: ChatML with a system text where none is given.
    static let qwen = """
        {% for message in messages %}{% if loop.first and message['role'] != 'system' %}\
        {{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}\
        {{ '<|im_start|>' + message['role'] + '\\n' }}\
        {% for content in message['content'] %}{% if content['type'] == 'image' %}\
        {{ '<|vision_start|><|image_pad|><|vision_end|>' }}\
        {% else %}{{ content['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\\n' }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """

    /// The original InternVL chat models: a system text always, the conversation's own if it
    /// has one; `separator` ends each turn.
    static let internVLChat = """
        {% if messages and messages[0]['role'] == 'system' %}\
        {% set system = messages[0]['content'][0]['text'] %}{% set rest = messages[1:] %}\
        {% else %}{% set rest = messages %}{% endif %}\
        {{ '<|im_start|>system\\n' + system + separator }}\
        {% for message in rest %}{{ '<|im_start|>' + message['role'] + '\\n' }}\
        {% for content in message['content'] %}{% if content['type'] == 'image' %}\
        {{ '<image>\\n' }}{% else %}{{ content['text'] }}{% endif %}{% endfor %}\
        {{ separator }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
        """

    /// Separator and system text by the name in `config.json`.
    static let internVLChatStyles: [String: (separator: String, system: String)] = {
        let first = """
            你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, \
            是一个有用无害的人工智能助手。
            """
        let second = """
            你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位\
            联合开发的多模态大语言模型。
            """
        return [
            "internlm2-chat": ("<|im_end|>", first), "Hermes-2": ("<|im_end|>", first),
            "internvl2_5": ("<|im_end|>\n", second),
        ]
    }()
}
