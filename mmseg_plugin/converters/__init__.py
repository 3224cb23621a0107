from .carry import carry_over
from .rules import SIDES, Conversion, Rule, Table, Transform, convert
from .tables import METHODS, choose_table, current_names

__all__ = [
    'METHODS',
    'SIDES',
    'Conversion',
    'Rule',
    'Table',
    'Transform',
    'carry_over',
    'choose_table',
    'convert',
    'current_names',
]
