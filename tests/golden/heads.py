"""Query heads of Mask2Former and MaskFormer, from official weights."""

import math
import re
import zlib

import numpy as np
import torch
from torch import Tensor, nn

from mmseg_plugin.converters import choose_table, convert
from mmseg_plugin.models.dense_heads import Mask2FormerHead, MaskFormerHead
from mmseg_plugin.structures import QueryPredictions
from tests.golden import Case, runner


def _ffn(dims: int, hidden: int) -> dict:
    return {'embed_dims': dims, 'feedforward_channels': hidden, 'num_fcs': 2}


def _attention(dims: int, heads: int) -> dict:
    return {'embed_dims': dims, 'num_heads': heads, 'batch_first': True}


def _decoder(config: dict) -> dict:
    attention = _attention(config['hidden'], config['dec_heads'])
    return {
        'num_layers': config['dec_layers'],
        'layer_cfg': {
            'self_attn_cfg': attention,
            'cross_attn_cfg': dict(attention),
            'ffn_cfg': _ffn(config['hidden'], config['dec_ffn']),
        },
    }


def _shared(case: Case) -> dict:
    config = case.config
    return {
        'in_channels': case.entry['backbone_channels'],
        'feat_channels': config.get('conv_dim', config['hidden']),
        'out_channels': config['mask_dim'],
        'num_things_classes': config['K'],
        'num_stuff_classes': 0,
        'num_queries': config['Q'],
        'transformer_decoder': _decoder(config),
        'positional_encoding': {
            'num_feats': config['hidden'] // 2,
            'normalize': True,
        },
        'enforce_decoder_input_project': config['enforce_input_project'],
    }


def _official_state(
    case: Case, model: nn.Module, method: str
) -> dict[str, Tensor]:
    """The case's weights; if they are not stored, made by the recipe."""
    stored = case.group('state/')
    if stored:
        return stored
    ours = {f'panoptic_head.{k}': v for k, v in model.state_dict().items()}
    names = convert(ours, choose_table(method, ours, 'mmdet'), 'd2').state
    return {
        name: recipe_value(name, value.shape, case.entry['weight_salt'])
        for name, value in names.items()
        if name.startswith('sem_seg_head.')
    }


def recipe_value(name: str, shape: torch.Size, salt: str) -> Tensor:
    """A parameter's value by its official name, as the cases were made."""
    name = re.sub(r'\.decoder\.bbox_embed\.\d+\.', '._bbox_embed.', name)
    name = re.sub(r'\.bbox_embed\.\d+\.', '._bbox_embed.', name)
    name = name.replace('.predictor.decoder.norm.', '.predictor.decoder_norm.')
    seed = zlib.crc32(f'{salt}:{name}'.encode()) & 0xFFFFFFFF
    draw = np.random.RandomState(seed).standard_normal(shape.numel())
    value = draw.reshape(shape)
    if len(shape) == 1:
        if name.endswith('.weight'):
            value = 1 + 0.25 * value
        else:
            is_offset = name.endswith('sampling_offsets.bias')
            value = (1.5 if is_offset else 0.2) * value
    elif re.search('query_|level_embed|label_enc', name):
        value = 0.7 * value
    elif 'class_embed' in name:
        value = 2 * value / math.sqrt(shape[-1])
    elif 'mask_embed.layers.2' in name:
        value = 1.5 * value / math.sqrt(shape[-1])
    else:
        value = value / math.sqrt(math.prod(shape[1:]))
    return torch.tensor(value.astype(np.float32))


def load_official(case: Case, model: nn.Module, method: str) -> dict[str, str]:
    """Loads official weights strictly, on the case's device.

    Returns:
        Official name to ours.
    """
    state = _official_state(case, model, method)
    conversion = convert(state, choose_table(method, state, 'd2'), 'mmdet')
    prefix = 'panoptic_head.'
    model.load_state_dict(
        {k.removeprefix(prefix): v for k, v in conversion.state.items()}
    )
    model.to(case.device)
    return {a: b.removeprefix(prefix) for a, b in conversion.renamed}


def _outputs(predictions: QueryPredictions) -> dict[str, Tensor]:
    masks = predictions.masks.dense()
    last = len(masks) - 1
    named = {}
    for layer, (logits, maps) in enumerate(
        zip(predictions.cls_logits, masks, strict=True)
    ):
        prefix = '' if layer == last else f'aux_{layer}/'
        named[f'{prefix}pred_logits'] = logits
        named[f'{prefix}pred_masks'] = maps
    return named


def _wave(tensor: Tensor) -> Tensor:
    places = torch.arange(tensor.numel(), device=tensor.device)
    return torch.cos(0.1 * places).view_as(tensor)


def probe(outputs: dict[str, Tensor]) -> Tensor:
    """One number that depends on every output."""
    return sum(
        (value * _wave(value)).mean() for _, value in sorted(outputs.items())
    )


def gradients(model: nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    """What the cases hold of each parameter's gradient.

    Args:
        model: after a backward pass.
        names: official name to ours.
    """
    got = {}
    parameters = dict(model.named_parameters())
    for official, ours in names.items():
        grad = parameters[ours].grad
        if grad is None:
            got[f'grad/none/{official}'] = np.ones((), np.uint8)
            grad = torch.zeros_like(parameters[ours])
        got[f'grad/norm/{official}'] = grad.norm()
        got[f'grad/dot/{official}'] = (grad * _wave(grad)).sum()
    return got


def _compared(
    case: Case, model: nn.Module, method: str
) -> dict[str, Tensor | np.ndarray]:
    """Everything the case holds: outputs, their probe and its gradients."""
    names = load_official(case, model, method)
    model.eval()
    levels = [case.tensor(f'in/res{level}') for level in range(2, 6)]
    outputs = _outputs(model(levels, None))
    scalar = probe(outputs)
    scalar.backward()
    got: dict = {'out/probe_scalar': scalar}
    for key, value in outputs.items():
        got[f'out/{key}'] = value
        got[f'out/{key}_s2'] = value[..., ::2, ::2]
    return got | gradients(model, names)


@runner('m2f_head')
def run_mask2former_head(case: Case) -> dict:
    config = case.config
    encoder_levels = len(config['in_features'])
    feat_channels = config.get('conv_dim', config['hidden'])
    model = Mask2FormerHead(
        **_shared(case),
        pixel_decoder={
            'type': 'mmseg_plugin.MSDeformAttnPixelDecoder',
            'encoder': {
                'num_layers': config['enc_layers'],
                'layer_cfg': {
                    'self_attn_cfg': {
                        'embed_dims': feat_channels,
                        'num_heads': config['enc_heads'],
                        'num_levels': encoder_levels,
                        'dropout': 0.0,
                        'batch_first': True,
                    },
                    'ffn_cfg': _ffn(feat_channels, config['enc_ffn']),
                },
            },
            'positional_encoding': {
                'num_feats': feat_channels // 2,
                'normalize': True,
            },
        },
    )
    return _compared(case, model, 'mask2former')


@runner('mf_head')
def run_maskformer_head(case: Case) -> dict:
    config = case.config
    pixel_decoder: dict = {'type': 'mmdet.PixelDecoder'}
    if config['pixel_decoder'] == 'TransformerEncoderPixelDecoder':
        dims = config['conv_dim']
        pixel_decoder = {
            'type': 'mmdet.TransformerEncoderPixelDecoder',
            'encoder': {
                'num_layers': config['enc_layers'],
                'layer_cfg': {
                    'self_attn_cfg': _attention(dims, config['enc_heads']),
                    'ffn_cfg': _ffn(dims, config['enc_ffn']),
                },
            },
            'positional_encoding': {'num_feats': dims // 2, 'normalize': True},
        }
    model = MaskFormerHead(**_shared(case), pixel_decoder=pixel_decoder)
    return _compared(case, model, 'maskformer')
