"""What people would use instead, honestly fast for what it is: functions (codes, params, steps, config) -> losses.

All start from the same parameters, take the same steps of AdaGrad on the same sequences, and must give the same losses.
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

from rnn import model
from rnn.model import Params
from rnn.show.widget import pack
from rnn.training import advance


def fresh(params, dtype):
    """Return copies of the parameters, memories of zero, and a state of zero, in a type."""
    params = Params(*(theta.astype(dtype, order="K") for theta in params))
    return params, Params(*(np.zeros_like(theta) for theta in params)), np.zeros(len(params.b), dtype)


def sequences(codes, T, steps):
    """Yield (whether the text begins, x, y) of each step."""
    per_epoch = (len(codes) - 1) // T
    for n in range(steps):
        start = n % per_epoch * T
        yield start == 0, codes[start : start + T], codes[start + 1 : start + T + 1]


def min_char_rnn_numpy(codes, params, steps, config):
    """The style of min-char-rnn: float64, one-hot vectors, a product for every character."""
    (W, U, V, b, c), memory, h0 = fresh(params, np.float64)
    K, losses = len(c), []
    for begins, x, y in sequences(codes, config.T, steps):
        h0 = np.zeros_like(h0) if begins else h0
        xs, hs, ps, loss = {}, {-1: h0}, {}, 0.0
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
    """`model.train_step`, float32."""
    params, _, h = fresh(params, np.float32)
    memory, h, losses = model.init_memory(params), h[None], []
    for begins, x, y in sequences(codes, config.T, steps):
        if begins:
            h[:] = 0
        losses.append(model.train_step(params, memory, x[None], y[None], h, config.learning_rate, config.clip)[0])
    return np.array(losses)


def _kernel(codes, params, steps, config, dtype):
    (params, _, h), losses = fresh(params, dtype), np.empty(steps)
    config = config.replace(dtype=np.dtype(dtype).name)
    advance(params, model.init_memory(params), h[None], codes, 0, losses, config)
    return losses


def kernel_float32(codes, params, steps, config):
    """`training.advance`, float32."""
    return _kernel(codes, params, steps, config, np.float32)


def kernel_float64(codes, params, steps, config):
    """`training.advance`, float64."""
    return _kernel(codes, params, steps, config, np.float64)


def build_c(folder):
    """Return the function of baseline.c, compiled as fast as the compiler can, or None without a compiler."""
    library = Path(folder) / "baseline.so"
    source = Path(__file__).with_name("baseline.c")
    command = ["cc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", source, "-o", library, "-lm"]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    train = ctypes.CDLL(str(library)).train

    def c_float32(codes, params, steps, config):
        """Plain C, float32."""
        params, memory, h = fresh(params, np.float32)
        params, memory = (of._replace(U=np.ascontiguousarray(of.U.T)) for of in (params, memory))  # as the C has it
        losses = np.empty(steps)
        arrays = (params.W, params.U, params.V, params.b, params.c, memory.W, memory.U, memory.V, memory.b, memory.c)
        pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*arrays, h, codes.astype(np.uint16))]
        long, real = ctypes.c_long, ctypes.c_float
        sizes = (len(params.c), len(params.b), config.T)
        of_losses = losses.ctypes.data_as(ctypes.c_void_p)
        per_epoch, rate, clip = long(config.steps_per_epoch(len(codes))), real(config.learning_rate), real(config.clip)
        train(*pointers, long(0), long(steps), of_losses, *sizes, per_epoch, rate, clip)
        return losses

    return c_float32


def build_web(folder):
    """Return the function of the page's kernel, as `make` compiled it, run by Node; None without either."""
    node, kernel = shutil.which("node", path=Path(sys.prefix) / "bin"), Path(folder) / "web" / "kernel-fused.wasm"
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
        asked = {"settings": settings, "K": len(params.c), "weights": pack(params), "steps": steps}
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
    # sqrt(M + 1e-8) is what a memory that begins at 1e-8 gives
    optimizer = torch.optim.Adagrad(trained, config.learning_rate, initial_accumulator_value=1e-8, eps=0)
    one_hot, every_code = torch.eye(K), torch.from_numpy(codes.astype(np.int64))

    def step(x, y, h):
        states, h = rnn(one_hot[x], h)
        loss = nn.functional.cross_entropy(out(states), y, reduction="sum")
        return loss, h.detach()

    step = torch.compile(step) if compiled else step
    losses, h = [], None
    for n, (begins, _, _) in enumerate(sequences(codes, config.T, steps)):
        start = n % config.steps_per_epoch(len(codes)) * config.T
        h = torch.zeros(1, m) if begins else h
        x, y = every_code[start : start + config.T], every_code[start + 1 : start + config.T + 1]
        loss, h = step(x, y, h)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(trained, config.clip)
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).double().numpy()


def torch_eager(codes, params, steps, config):
    """PyTorch: nn.RNN and Adagrad, float32, one thread."""
    return _torch(codes, params, steps, config, compiled=False)


def torch_compile(codes, params, steps, config):
    """PyTorch with torch.compile, float32, one thread."""
    return _torch(codes, params, steps, config, compiled=True)


_jitted = {}


def jax_scan(codes, params, steps, config):
    """JAX: the whole training in one jit, float32."""
    import jax
    import jax.numpy as jnp
    from jax import lax

    T, per_epoch = config.T, config.steps_per_epoch(len(codes))

    def loss_of(params, h0, x, y):
        W, U, V, b, c = params

        def one(h, code):
            h = jnp.tanh(W @ h + U[:, code] + b)
            return h, h

        h, states = lax.scan(one, h0, x)
        log_p = jax.nn.log_softmax(states @ V.T + c)
        return -log_p[jnp.arange(T), y].sum(), h

    def one_step(carry, n):
        codes, params, memory, h = carry
        start = n % per_epoch * T
        h = jnp.where(start == 0, 0.0, h)
        x, y = lax.dynamic_slice(codes, (start,), (T,)), lax.dynamic_slice(codes, (start + 1,), (T,))
        (loss, h), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, h, x, y)
        gradient = jax.tree.map(lambda g: jnp.clip(g, -config.clip, config.clip), gradient)
        memory = jax.tree.map(lambda M, g: M + g * g, memory, gradient)
        new = jax.tree.map(
            lambda theta, M, g: theta - config.learning_rate * g / jnp.sqrt(M + 1e-8), params, memory, gradient
        )
        return (codes, new, memory, h), loss

    key = (config, steps, len(codes), len(params.c))
    if key not in _jitted:
        _jitted[key] = jax.jit(lambda carry: lax.scan(one_step, carry, jnp.arange(steps))[1])
    params, memory, h = fresh(params, np.float32)
    return np.asarray(_jitted[key]((jnp.asarray(codes.astype(np.int32)), params, memory, h)), np.float64)


QUICK = {f.__name__: f for f in (min_char_rnn_numpy, numpy_reference, kernel_float32, kernel_float64)}
FULL = {f.__name__: f for f in (torch_eager, torch_compile, jax_scan)}
