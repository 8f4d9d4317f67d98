package dataplane

func (p *platform) fluxPod() {}
