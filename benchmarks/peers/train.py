#!/usr/bin/env python3
"""Times training steps of the original projects' models in PyTorch on the CPU, as `zoo bench <model> --mode train` times Zoo's.

    train.py nanogpt --source nanoGPT/

`--source` names a checkout of the project, which is imported from there and never changed. One line comes back: tokens per second of
processor time, from the median step, as `zoo bench` counts them, and from the best one. A step is forward, backward, AdamW and clearing the gradients.

Needs PyTorch (tried: 1.13 with OpenBLAS) and nothing else: packages that the projects import for their CUDA paths are replaced by empty ones.
"""
import argparse
import os
import statistics
import sys
import time
import types

VOCABULARY, WIDTH, LAYERS, HEADS = 65, 128, 4, 4


def main():
    arguments = parse()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(arguments.threads)  # before PyTorch is loaded
    sys.path.insert(0, os.path.abspath(arguments.source))
    import torch

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(1)
    stand_in_for_cuda_packages()
    ids = torch.randint(0, VOCABULARY, (arguments.batch_size, arguments.length + 1))
    model, loss = PEERS[arguments.peer](ids)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def step():
        loss().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    for _ in range(arguments.warmup):
        step()
    times = []
    for _ in range(arguments.runs):
        start = time.process_time()
        step()
        times.append(time.process_time() - start)
    tokens = arguments.batch_size * arguments.length
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{arguments.peer}: {tokens / statistics.median(times):,.0f} tokens per CPU second by the median of {len(times)} steps, "
          f"{tokens / min(times):,.0f} by the best; {parameters:,} parameters, PyTorch {torch.__version__}, {arguments.threads} thread(s)")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--source", required=True, metavar="DIR", help="a checkout of the project")
    parser.add_argument("--batch-size", type=int, default=8, metavar="N")
    parser.add_argument("--length", type=int, default=256, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--runs", type=int, default=20, metavar="N")
    parser.add_argument("--warmup", type=int, default=3, metavar="N")
    return parser.parse_args()


def stand_in_for_cuda_packages():
    """pytorch-qrnn imports CuPy, and minGRU-pytorch its hybrid models, on load; newer projects use nn.RMSNorm, which PyTorch 1.13 lacks."""
    import torch

    for name, members in {"cupy": [], "cupy.cuda": ["function"], "pynvrtc": [], "pynvrtc.compiler": ["Program"],
                          "minGRU_pytorch.hybrid": [], "minGRU_pytorch.hybridLM": []}.items():
        module = types.ModuleType(name)
        for member in members:
            setattr(module, member, None)
        sys.modules[name] = module
    sys.modules["cupy"].cuda = sys.modules["cupy.cuda"]

    class RMSNorm(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(width))

        def forward(self, x):
            return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + torch.finfo(x.dtype).eps) * self.weight

    if not hasattr(torch.nn, "RMSNorm"):
        torch.nn.RMSNorm = RMSNorm


def cross_entropy(logits, targets):
    import torch

    return torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def shifted(ids):
    return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()


def nanogpt(ids):
    """karpathy/nanoGPT."""
    from model import GPT, GPTConfig

    inputs, targets = shifted(ids)
    model = GPT(GPTConfig(block_size=inputs.shape[1], vocab_size=VOCABULARY, n_layer=LAYERS, n_head=HEADS, n_embd=WIDTH, dropout=0.0, bias=False))
    return model, lambda: model(inputs, targets)[1]


def min_rnn(use_lstm):
    """lucidrains/minGRU-pytorch."""
    def build(ids):
        from minGRU_pytorch.minLM import minLM

        model = minLM(num_tokens=VOCABULARY, dim=WIDTH, depth=LAYERS, use_lstm=use_lstm)
        return model, lambda: model(ids, return_loss=True)

    return build


def qrnn(ids):
    """salesforce/pytorch-qrnn between an embedding and a linear layer."""
    import torch
    from torchqrnn import QRNN

    inputs, targets = (tensor.t().contiguous() for tensor in shifted(ids))  # time first
    parts = torch.nn.ModuleList([torch.nn.Embedding(VOCABULARY, WIDTH), QRNN(WIDTH, WIDTH, num_layers=LAYERS, use_cuda=False), torch.nn.Linear(WIDTH, VOCABULARY)])
    embedding, layers, head = parts
    return parts, lambda: cross_entropy(head(layers(embedding(inputs))[0]), targets)


def mamba(ids):
    """alxndrTL/mamba.py, Mamba by a parallel scan out of tensor operations, between its embedding and head (whose module asks for more packages)."""
    import torch
    from mambapy.mamba import Mamba, MambaConfig, RMSNorm

    inputs, targets = shifted(ids)
    parts = torch.nn.ModuleList([
        torch.nn.Embedding(VOCABULARY, WIDTH), Mamba(MambaConfig(d_model=WIDTH, n_layers=LAYERS)), RMSNorm(WIDTH), torch.nn.Linear(WIDTH, VOCABULARY, bias=False)])
    return parts, lambda: cross_entropy(torch.nn.Sequential(*parts)(inputs), targets)


def xlstm(slstm_at):
    """NX-AI/xlstm, its plain backend."""
    def build(ids):
        from xlstm import mLSTMBlockConfig, sLSTMBlockConfig, sLSTMLayerConfig, xLSTMLMModel, xLSTMLMModelConfig

        inputs, targets = shifted(ids)
        model = xLSTMLMModel(xLSTMLMModelConfig(
            vocab_size=VOCABULARY, embedding_dim=WIDTH, num_blocks=LAYERS, context_length=inputs.shape[1], slstm_at=slstm_at, mlstm_block=mLSTMBlockConfig(),
            slstm_block=sLSTMBlockConfig(slstm=sLSTMLayerConfig(backend="vanilla")) if slstm_at else None))
        model.reset_parameters()
        return model, lambda: cross_entropy(model(inputs), targets)

    return build


PEERS = {
    "nanogpt": nanogpt, "mingru": min_rnn(use_lstm=False), "minlstm": min_rnn(use_lstm=True), "qrnn": qrnn, "mamba": mamba,
    "xlstm": xlstm([]), "xlstm-1": xlstm([1]), "xlstm-all": xlstm("all"),
}

if __name__ == "__main__":
    main()
