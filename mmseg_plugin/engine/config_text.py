"""The text of a config, which MMEngine keeps with every checkpoint."""

from mmengine.config import Config

# Configs whose texts are kept; a run has one or two.
_MOST = 4


def keep_config_texts() -> None:
    """Lets MMEngine format a config once, as long as it stays what it is.

    yapf takes a second for that of a run. It is asked for half a dozen times
    before the first iteration, and again with each checkpoint.
    """
    format_text = Config.pretty_text.fget
    texts: dict[str, str] = {}

    def pretty_text(self: Config) -> str:
        key = repr(self._cfg_dict)
        if key not in texts:
            text = format_text(self)
            if len(texts) == _MOST:
                texts.clear()
            texts[key] = text
        return texts[key]

    Config.pretty_text = property(pretty_text, doc=Config.pretty_text.__doc__)
