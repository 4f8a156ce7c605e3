// How numbers are written.

export function percent(p) {
  if (p >= 0.0995 || p === 0) return `${(100 * p).toFixed(0)}%`;
  return p < 1e-6 ? "<0.0001%" : `${(100 * p).toPrecision(2)}%`;
}

export const inBits = (p) => (-Math.log2(p)).toFixed(1);

export const withMinus = (digits) => digits.replaceAll("-", "−");

export const powerOfTen = (n) => `10${String(n).replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)])}`;

// a whole number in full, another one with so many digits that count; one fewer before a power of ten
export function inDigits(x, digits = 3) {
  const size = Math.abs(x);
  if (!Number.isFinite(x) || (Number.isInteger(x) && size < 1e9)) return withMinus((x + 0).toLocaleString("en")); // -0 + 0 is 0
  if (size >= 1e-3 && size < 1e6) return withMinus(Math.round(size) < 1e3 ? x.toPrecision(digits) : Math.round(x).toLocaleString("en"));
  const [first, power] = x.toExponential(digits - 2).split("e");
  return `${withMinus(first)}\u00a0×\u00a0${powerOfTen(+power)}`;
}
