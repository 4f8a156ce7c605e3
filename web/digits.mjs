// How numbers are written.

export const percent = (p) => (p >= 0.0995 || p === 0 ? `${(100 * p).toFixed(0)}%` : `${(100 * p).toPrecision(2)}%`);

export const inBits = (p) => (-Math.log2(p)).toFixed(1);

export const withMinus = (digits) => digits.replaceAll("-", "−");

export const powerOfTen = (n) => `10${String(n).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)])}`;

// a number with so many digits that count, one fewer before a power of ten
export function inDigits(x, digits = 3) {
  const size = Math.abs(x);
  if (Number.isNaN(x) || size === Infinity || (Number.isInteger(x) && size < 1e9)) return withMinus(x.toLocaleString("en"));
  if (size >= 1e-3 && size < 1e6) return withMinus(Math.round(size) < 10 ** digits ? x.toPrecision(digits) : Math.round(x).toLocaleString("en"));
  const [first, power] = x.toExponential(digits - 2).split("e");
  return `${withMinus(first)}\u00a0×\u00a0${powerOfTen(+power)}`;
}
