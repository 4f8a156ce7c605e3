"""Implementations to compare the kernel with, each as fast as its library allows.

All are functions (codes, params, steps, config) -> losses. They start from the same parameters, take the same steps on
the same sequences, and must give the same losses. Those in `BATCHED` take steps with config.B sequences and either
optimiser; the rest take one sequence and AdaGrad.
"""

import atexit
import base64
import ctypes
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from report.show.web import pack
from rnn import model
from rnn.engine.training import advance, plan
from rnn.model import Params


def first_state(params, dtype):
    """Return (copies of the parameters, zero memories, a zero state), all in `dtype`."""
    params = Params(*(theta.astype(dtype, order="K") for theta in params))
    return params, Params(*(np.zeros_like(theta) for theta in params)), np.zeros(len(params.b), dtype)


def sequences(codes, steps, config):
    """Yield (whether the states are zero, x (B, T), y (B, T)) of each step."""
    starts, _, begins, _ = plan(config, len(codes), 0, steps)
    for at, begin in zip(starts, begins, strict=True):
        text = np.stack([codes[start : start + config.T + 1] for start in at])
        yield begin, text[:, :-1], text[:, 1:]


def min_char_rnn_numpy(codes, params, steps, config):
    """Train in the style of min-char-rnn: float64, one-hot vectors, a product for every character."""
    (W, U, V, b, c), memory, h0 = first_state(params, np.float64)
    K = len(c)
    losses = []
    for begins, (x,), (y,) in sequences(codes, steps, config):
        h0 = np.zeros_like(h0) if begins else h0
        xs = {}
        hs = {-1: h0}
        ps = {}
        loss = 0.0
        for t in range(len(x)):
            xs[t] = np.zeros(K)
            xs[t][x[t]] = 1
            hs[t] = np.tanh(W @ hs[t - 1] + U @ xs[t] + b)
            o = V @ hs[t] + c
            ps[t] = np.exp(o - o.max())
            ps[t] /= ps[t].sum()
            loss -= np.log(ps[t][y[t]])
        dW, dU, dV, db, dc = (np.zeros_like(theta) for theta in (W, U, V, b, c))
        from_next = np.zeros_like(b)
        for t in reversed(range(len(x))):
            do = ps[t].copy()
            do[y[t]] -= 1
            dV += np.outer(do, hs[t])
            dc += do
            da = (V.T @ do + from_next) * (1 - hs[t] ** 2)
            dW += np.outer(da, hs[t - 1])
            dU += np.outer(da, xs[t])
            db += da
            from_next = W.T @ da
        for theta, theta_memory, gradient in zip((W, U, V, b, c), memory, (dW, dU, dV, db, dc), strict=True):
            np.clip(gradient, -config.clip, config.clip, out=gradient)
            theta_memory += gradient * gradient
            theta -= config.learning_rate * gradient / np.sqrt(theta_memory + 1e-8)
        h0 = hs[len(x) - 1]
        losses.append(loss)
    return np.array(losses)


def numpy_reference(codes, params, steps, config):
    """Train with `model.train_step`, float32."""
    params, _, _ = first_state(params, np.float32)
    memory = model.init_memory(params)
    h = np.zeros((config.B, len(params.b)), np.float32)
    losses = []
    for begins, x, y in sequences(codes, steps, config):
        if begins:
            h[:] = 0
        taken = model.train_step(params, memory, x, y, h, config.learning_rate, config.clip, config.optimizer)
        losses.append(taken[0])
    return np.array(losses)


def _kernel(codes, params, steps, config, dtype):
    params, _, _ = first_state(params, dtype)
    losses = np.empty(steps)
    h = np.zeros((config.B, len(params.b)), dtype)
    config = config.replace(dtype=np.dtype(dtype).name)
    advance(params, model.init_memory(params), h, codes, 0, losses, config)
    return losses


def kernel_float32(codes, params, steps, config):
    """Train with `training.advance`, float32."""
    return _kernel(codes, params, steps, config, np.float32)


def kernel_float64(codes, params, steps, config):
    """Train with `training.advance`, float64."""
    return _kernel(codes, params, steps, config, np.float64)


def build_c(folder):
    """Return a function that trains with baseline.c, or None if there is no compiler.

    The C is compiled for given sizes when the function is first called with them.
    """
    built = {}

    def compiled_for(sizes):
        if sizes not in built:
            library = Path(folder) / f"baseline-{'-'.join(map(str, sizes))}.so"
            command = ["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
            command += [f"-D{name}={size}" for name, size in zip("MKT", sizes, strict=True)]
            command += [Path(__file__).with_name("baseline.c"), "-o", library, "-lm"]
            subprocess.run(command, check=True, capture_output=True)
            built[sizes] = ctypes.CDLL(str(library)).train
        return built[sizes]

    try:
        compiled_for((1, 2, 1))
    except (OSError, subprocess.CalledProcessError):
        return None

    def c_float32(codes, params, steps, config):
        """Train with C that was compiled for these sizes, float32."""
        params, _, _ = first_state(params, np.float32)
        arrays = params._replace(U=np.ascontiguousarray(params.U.T))  # U is transposed in C
        losses = np.empty(steps)
        long = ctypes.c_long
        real = ctypes.c_float
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*arrays, codes.astype(np.uint16), losses)]
        train = compiled_for((len(params.b), len(params.c), config.T))
        per_epoch = long(config.steps_per_epoch(len(codes)))
        train(*pointers, long(steps), per_epoch, real(config.learning_rate), real(config.clip))
        return losses

    return c_float32


def build_web(folder):
    """Return a function that trains with the page's kernel in Node; None if there is no Node or no compiled kernel."""
    node = shutil.which("node", path=Path(sys.prefix) / "bin")
    kernel = Path(folder) / "web" / "kernel-fused.wasm"
    if not (node and kernel.exists()):
        return None
    script = Path(__file__).with_name("web.mjs")
    process = subprocess.Popen([node, script, kernel], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    sent = None

    def web_float32(codes, params, steps, config):
        """The page's kernel in WebAssembly, float32; the text goes to Node once."""
        nonlocal sent
        settings = {"m": len(params.b), "T": config.T, "rate": config.learning_rate, "clip": config.clip}
        asked = {
            "settings": settings,
            "K": len(params.c),
            "weights": base64.b64encode(pack(params)).decode(),
            "steps": steps,
        }
        if sent is not codes:
            asked["codes"] = codes.tolist()
        sent = codes
        print(json.dumps(asked), file=process.stdin, flush=True)
        return np.frombuffer(base64.b64decode(process.stdout.readline()))

    return web_float32


def _torch(codes, params, steps, config, compiled):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    m, K = len(params.b), len(params.c)
    rnn, out = nn.RNN(K, m), nn.Linear(m, K)
    with torch.no_grad():
        for theta, ours in (
            (rnn.weight_hh_l0, params.W),
            (rnn.weight_ih_l0, params.U),
            (out.weight, params.V),
            (rnn.bias_ih_l0, params.b),
            (out.bias, params.c),
            (rnn.bias_hh_l0, np.zeros(m)),
        ):
            theta.copy_(torch.from_numpy(np.ascontiguousarray(ours)))
    rnn.bias_hh_l0.requires_grad_(False)
    trained = [theta for module in (rnn, out) for theta in module.parameters() if theta.requires_grad]
    if config.optimizer == "adam":
        optimizer = torch.optim.Adam(trained, config.learning_rate, fused=True)
    else:  # sqrt(M + 1e-8) is what a memory that begins at 1e-8 gives
        optimizer = torch.optim.Adagrad(trained, config.learning_rate, initial_accumulator_value=1e-8, eps=0)
    one_hot = torch.eye(K)
    steps = [
        (begins, *(torch.from_numpy(np.ascontiguousarray(codes.T, np.int64)) for codes in (x, y)))  # (T, B)
        for begins, x, y in sequences(codes, steps, config)
    ]

    def step(x, y, h):
        states, h = rnn(one_hot[x], h)
        loss = nn.functional.cross_entropy(out(states).flatten(0, 1), y.flatten(), reduction="sum") / config.B
        return loss, h.detach()

    step = torch.compile(step) if compiled else step
    losses, h = [], None
    for begins, x, y in steps:
        h = torch.zeros(1, config.B, m) if begins else h
        loss, h = step(x, y, h)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(trained, config.clip)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).double().numpy()


def torch_eager(codes, params, steps, config):
    """PyTorch: nn.RNN and its optimisers, float32, one thread."""
    return _torch(codes, params, steps, config, compiled=False)


def torch_compile(codes, params, steps, config):
    """PyTorch with torch.compile, float32, one thread."""
    return _torch(codes, params, steps, config, compiled=True)


_jitted = {}


def jax_scan(codes, params, steps, config):
    """Train with JAX, all of it in one jit, float32. U is transposed, which is faster."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    starts, _, begins, _ = plan(config, len(codes), 0, steps)

    def loss_of(params, h0, x, y):  # x and y (T, B)
        W, U, V, b, c = params

        def read_character(h, code):
            h = jnp.tanh(h @ W.T + U[code] + b)
            return h, h

        h, states = lax.scan(read_character, h0, x)
        log_p = jax.nn.log_softmax(states @ V.T + c)
        return -jnp.take_along_axis(log_p, y[..., None], -1).sum() / config.B, h

    def adagrad(theta, squares, means, g, n):
        squares = squares + g * g
        return theta - config.learning_rate * g / jnp.sqrt(squares + 1e-8), squares, means

    def adam(theta, squares, means, g, n):
        means = means + (1 - 0.9) * (g - means)
        squares = squares + (1 - 0.999) * (g * g - squares)
        step = (means / (1 - 0.9**n)) / (jnp.sqrt(squares / (1 - 0.999**n)) + 1e-8)
        return theta - config.learning_rate * step, squares, means

    def one_step(carry, step):
        codes, *network, h = carry
        at, begin, n = step
        text = codes[at + jnp.arange(config.T + 1)[:, None]]
        h = jnp.where(begin, 0.0, h)
        (loss, h), gradient = jax.value_and_grad(loss_of, has_aux=True)(network[0], h, text[:-1], text[1:])
        rule = adam if config.optimizer == "adam" else adagrad
        clipped = (jnp.clip(g, -config.clip, config.clip) for g in gradient)
        network = map(
            Params._make, zip(*(rule(*arrays, n) for arrays in zip(*network, clipped, strict=True)), strict=True)
        )
        return (codes, *network, h), loss

    key = (config, steps, len(codes), len(params.c))
    if key not in _jitted:
        step_inputs = jnp.asarray(starts), jnp.asarray(begins), jnp.arange(1.0, steps + 1)
        _jitted[key] = jax.jit(lambda carry, step_inputs: lax.scan(one_step, carry, step_inputs)[1]), step_inputs
    params, zeros, h = first_state(params, np.float32)
    params, zeros = (thetas._replace(U=np.ascontiguousarray(thetas.U.T)) for thetas in (params, zeros))
    train, step_inputs = _jitted[key]
    carry = jnp.asarray(codes.astype(np.int32)), params, zeros, zeros, jnp.tile(h, (config.B, 1))
    return np.asarray(train(carry, step_inputs), np.float64)


QUICK = {f.__name__: f for f in (min_char_rnn_numpy, numpy_reference, kernel_float32, kernel_float64)}
FULL = {f.__name__: f for f in (torch_eager, torch_compile, jax_scan)}
BATCHED = ("numpy_reference", "kernel_float32", "torch_eager", "jax_scan")
