'use strict';
const keyOf = (row, column) => {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  if (value === undefined) return cell.textContent;
  return value === '' ? null : Number(value);
};
const sortBy = (head) => {
  const body = head.closest('table').tBodies[0];
  const down = head.getAttribute('aria-sort') === 'ascending';
  for (const other of head.parentNode.cells) other.removeAttribute('aria-sort');
  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
  const rows = [...body.rows].sort((one, two) => {
    const [a, b] = [keyOf(one, head.cellIndex), keyOf(two, head.cellIndex)];
    // What has no value is last either way.
    if (a === null || b === null) return (a === null) - (b === null);
    const order = typeof a === 'string' ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  });
  body.append(...rows);
};
for (const head of document.querySelectorAll('table.sortable th')) {
  head.querySelector('button').addEventListener('click', () => sortBy(head));
}
